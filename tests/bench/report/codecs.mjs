// The table of codecs: what OpenMLS's large values cost in other encodings.
const ms = (value) => (typeof value === 'number' ? `${value.toFixed(3)} ms` : 'fails')

/** One line per value, codec and number of members; times natively and in wasm. */
export function codecRows({ native, wasm }) {
  return native.flatMap(({ members, rows }, group) =>
    rows.map((row, index) => {
      const inWasm = wasm?.[group]?.rows[index]
      return {
        value: row.value, members, codec: row.codec, bytes: row.bytes, stored: row.stored, failure: typeof row.load === 'string' ? row.load : undefined,
        times: [ms(row.write), ms(row.load), inWasm ? ms(inWasm.write) : '–', inWasm ? ms(inWasm.load) : '–'],
      }
    }))
}

const headings = ['value', 'members', 'codec', 'bytes written', 'write', 'load', 'write, wasm', 'load, wasm']
const cells = ({ value, members, codec, bytes, stored, times }) =>
  [value, `${members}`, codec, stored === undefined ? `${bytes}` : `${bytes} of ${stored}`, ...times]

export function codecText(codecs) {
  const rows = codecRows(codecs)
  const lines = [headings, ...rows.map(cells)]
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => line[column].length)))
  const pad = (text, column) => (column === 0 || column === 2 ? text.padEnd(widths[column]) : text.padStart(widths[column]))
  return ['Codecs', ...lines.map((line) => line.map(pad).join('  ')), ...failures(rows)].join('\n')
}

function failures(rows) {
  return [...new Set(rows.filter(({ failure }) => failure).map(({ value, codec, failure }) => `${codec} cannot load ${value}: ${failure}`))]
}

export function codecHtml(codecs, escape) {
  const rows = codecRows(codecs)
  const row = (one) => `<tr class="${one.codec.includes('ours') ? 'is-ours' : ''}">${cells(one).map((cell, column) => `<td class="${column === 0 || column === 2 ? '' : 'number'}">${escape(cell)}</td>`).join('')}</tr>`
  return `<div class="scroll"><table><thead><tr>${headings.map((text, column) => `<th class="${column === 0 || column === 2 ? '' : 'number'}">${text}</th>`).join('')}</tr></thead><tbody>${rows.map(row).join('')}</tbody></table></div>
${failures(rows).map((text) => `<p class="note">${escape(text)}</p>`).join('')}`
}
