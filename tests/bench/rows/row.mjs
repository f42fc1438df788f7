// A row: one number, with its limit where it has one, and how it is shown.
import { median, spread } from '../statistics.mjs'

export const times = (value) => `${value.toFixed(2)}×`
export const ms = (value) => `${value.toFixed(value < 10 ? 3 : 1)} ms`
export const kB = (value) => `${(value / 1000).toFixed(1)} kB`
export const count = (value) => `${Math.round(value)}`
export const between = ({ low, high }, show) => `${show(low)} – ${show(high)}`

/**
 * `pass` is undefined for rows without a limit.
 * @typedef {{id: string, text: string, value: number, shown: string, spread: string, native?: string, limit?: string, pass?: boolean}} Row
 * @returns {Row}
 */
export function row(id, text, value, show, spreadText = '', limit = undefined) {
  return { id, text, value, shown: show(value), spread: spreadText, limit: limit && show(limit), pass: limit === undefined ? undefined : value <= limit }
}

/** A ratio of blocks, with a limit. */
export const ratioRow = (id, text, against, limit) => row(id, text, against.median, times, between(against, times), limit)

/** Milliseconds of single calls or of blocks, and beside them those of the native build. */
export function msRow(id, text, blocks, native) {
  const took = spread(blocks.flat())
  return { ...row(id, text, took.median, ms, between(took, ms)), ...(native !== undefined && { native: ms(native) }) }
}

/** The most of some numbers of bytes. */
export function mostRow(id, text, values, limit) {
  const most = Math.max(...values)
  return row(id, text, most, count, `${Math.min(...values)} – ${most}, median ${count(median(values))}`, limit)
}
