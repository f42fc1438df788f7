// The rows as a table for people.

/** @param {{heading: string, rows: import('../rows/row.mjs').Row[]}[]} sections */
export function table(sections) {
  const head = { text: 'what', shown: 'median', spread: 'quartiles or range', native: 'native', limit: 'limit', verdict: '' }
  const line = (one) => ({ ...one, native: one.native ?? '', limit: one.limit ?? '', verdict: verdict(one) })
  const lines = sections.flatMap(({ heading, rows }) => [{ heading }, ...rows.map(line)])
  const cells = [head, ...lines.filter(({ heading }) => heading === undefined)]
  const widths = Object.fromEntries(['text', 'shown', 'spread', 'native', 'limit'].map((key) => [key, Math.max(...cells.map((cell) => cell[key].length))]))
  const show = ({ text, shown, spread, native, limit, verdict }) =>
    [text.padEnd(widths.text), shown.padStart(widths.shown), spread.padStart(widths.spread), native.padStart(widths.native), limit.padStart(widths.limit), verdict].join('  ').trimEnd()
  return [show(head), ...lines.map((one) => (one.heading === undefined ? show(one) : `\n${one.heading}`))].join('\n')
}

/** @param {{pass?: boolean}} row */
export const verdict = ({ pass }) => (pass === undefined ? '' : pass ? 'pass' : 'MISS')
