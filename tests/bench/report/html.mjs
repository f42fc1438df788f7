// The results as one page: no network, no script.
import { codecHtml } from './codecs.mjs'
import { figures } from './figures.mjs'
import { style } from './style.mjs'
import { verdict } from './table.mjs'

const escape = (text) => String(text).replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign])

export function html(result) {
  const { sections, codecs, machine, started, isQuick } = result
  const limited = sections.flatMap(({ rows }) => rows).filter((row) => row.pass !== undefined)
  const kept = limited.filter((row) => row.pass).length
  const missed = limited.filter((row) => !row.pass)
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>openmls-wasm: benchmark</title><link rel="icon" href="data:,"><style>${style}</style>
<header><h1>openmls-wasm: benchmark</h1>
<p>${started.toISOString().slice(0, 16).replace('T', ' ')} UTC · ${escape(machine.browser)} · ${machine.processors} × ${escape(machine.processor)} · ${escape(machine.system)} · load ${machine.load.toFixed(1)}${isQuick ? ' · <strong>quick run, not to judge by</strong>' : ''}</p>
<p class="verdict ${missed.length === 0 ? 'pass' : 'miss'}">${kept} of ${limited.length} limits kept</p>
${missed.length === 0 ? '' : `<ul class="missed">${missed.map((row) => `<li>${escape(row.text.trim())}: <b>${escape(row.shown)}</b>, limit ${escape(row.limit)}</li>`).join('')}</ul>`}
<p class="note">256-byte messages. Each ratio compares blocks that ran next to each other in the same page, in an order that alternates, after a warm-up; with it are the quartiles of the pairs. “In memory” is the same wasm without a database; “native” the same crate built natively.</p></header>
<main><section class="figures">${figures(result)}</section>
${sections.map(sectionHtml).join('\n')}
<section><h2>Codecs</h2><p class="note">What OpenMLS hands to its storage provider for one message (message_secrets) and for one commit (tree), where everybody has spoken; for the encoding in parts, the bytes written of those stored. In wasm: built as the package is, run by Node.</p>${codecHtml(codecs, escape)}</section></main></html>`
}

function sectionHtml({ heading, rows }) {
  return `<section><h2>${escape(heading)}</h2><div class="scroll"><table><thead><tr><th>what</th><th class="number">median</th><th class="number">quartiles or range</th><th class="number">native</th><th class="number">limit</th><th></th></tr></thead><tbody>${rows.map(rowHtml).join('')}</tbody></table></div></section>`
}

function rowHtml(row) {
  const depth = row.text.length - row.text.trimStart().length
  const said = verdict(row)
  return `<tr class="depth-${depth}" id="${escape(row.id)}"><td>${escape(row.text.trim())}</td><td class="number value">${escape(row.shown)}</td><td class="number">${escape(row.spread)}</td><td class="number">${escape(row.native ?? '')}</td><td class="number">${escape(row.limit ?? '')}</td><td>${said && `<span class="verdict ${said === 'pass' ? 'pass' : 'miss'}">${said}</span>`}</td></tr>`
}
