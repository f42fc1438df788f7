// From samples to verdicts: one row per number, under headings.
import { conversationRows } from './conversation.mjs'
import { memberRows, openingRows } from './groups.mjs'
import { vaultRows } from './vault.mjs'
import { atOnceRows, commitRows, longRows, sizeRows } from './operations.mjs'

/**
 * @param samples of `plan.mjs`
 * @param about the native times; the number of members of the largest group, and of its retained epochs
 * @returns {{heading: string, rows: import('./row.mjs').Row[]}[]}
 */
export function sections(samples, about) {
  return [
    { heading: 'A conversation of two', rows: conversationRows(samples) },
    { heading: 'Opening, by the number of groups', rows: openingRows(samples) },
    { heading: 'Messages, by members and retained epochs', rows: memberRows(samples, about) },
    { heading: 'A thousand calls at once, in groups in use', rows: atOnceRows(samples, about) },
    { heading: 'Own commits', rows: commitRows(samples, about) },
    { heading: 'What takes long', rows: longRows(samples, about) },
    { heading: 'The vault', rows: vaultRows(samples) },
    { heading: 'Sizes', rows: sizeRows(samples) },
  ].filter(({ rows }) => rows.length > 0)
}
