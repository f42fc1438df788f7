// Line charts as inline SVG, in the colors of the page.
const width = 460
const height = 260
const space = { left: 58, right: 16, top: 14, bottom: 42 }

const escape = (text) => text.replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign])

/** Round numbers from 0 to the first at or above `most`. */
function ticks(most) {
  const rough = most / 4
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((it) => it >= rough)
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, index) => index * step)
}

/**
 * @param {{title: string, note?: string, x: string, y: string, isLog?: boolean, limit?: {value: number, text: string},
 *   lines: {name: string, kind: string, points: {x: number, y: number, low?: number, high?: number}[]}[]}} chart
 *   `kind` is a class of the stylesheet: `ours`, `ours-2`, `memory`, `raw` or `native`
 */
export function lineChart({ title, note = '', x, y, isLog = false, limit, lines }) {
  const shown = lines.filter(({ points }) => points.length > 0)
  if (shown.length === 0) return ''
  const xs = [...new Set(shown.flatMap(({ points }) => points.map((point) => point.x)))].sort((one, other) => one - other)
  const most = Math.max(limit?.value ?? 0, ...shown.flatMap(({ points }) => points.map((point) => point.high ?? point.y)))
  const yTicks = ticks(most)
  const top = yTicks.at(-1)
  const scale = (value) => (isLog ? Math.log(value) : value)
  const [from, to] = [scale(xs[0]), scale(xs.at(-1))]
  const atX = (value) => space.left + ((scale(value) - from) / (to - from || 1)) * (width - space.left - space.right)
  const atY = (value) => height - space.bottom - (value / top) * (height - space.top - space.bottom)
  const grid = yTicks.map((tick) => `<line class="grid" x1="${space.left}" x2="${width - space.right}" y1="${atY(tick)}" y2="${atY(tick)}"/><text class="tick" x="${space.left - 8}" y="${atY(tick) + 4}" text-anchor="end">${Number(tick.toPrecision(3)).toLocaleString('en')}</text>`)
  const bottom = xs.map((value) => `<text class="tick" x="${atX(value)}" y="${height - space.bottom + 18}" text-anchor="${value === xs.at(-1) ? 'end' : 'middle'}">${value.toLocaleString('en')}</text>`)
  const drawn = shown.map(({ name, kind, points }) => {
    const path = points.map((point) => `${atX(point.x).toFixed(1)},${atY(point.y).toFixed(1)}`).join(' ')
    const marks = points.map((point) => {
      const bar = point.low === undefined ? '' : `<line class="spread" x1="${atX(point.x)}" x2="${atX(point.x)}" y1="${atY(point.low)}" y2="${atY(point.high)}"/>`
      const range = point.low === undefined ? '' : ` (${format(point.low)} – ${format(point.high)})`
      return `${bar}<circle cx="${atX(point.x)}" cy="${atY(point.y)}" r="4"><title>${escape(`${name}, ${point.x.toLocaleString('en')} ${x}: ${format(point.y)}${range} ${y}`)}</title></circle>`
    })
    return `<g class="line ${kind}"><polyline points="${path}"/>${marks.join('')}</g>`
  })
  const limitLine = limit ? `<g class="limit"><line x1="${space.left}" x2="${width - space.right}" y1="${atY(limit.value)}" y2="${atY(limit.value)}"/><text x="${width - space.right}" y="${atY(limit.value) - 5}" text-anchor="end">${escape(limit.text)}</text></g>` : ''
  const legend = shown.map(({ name, kind }) => `<span class="key ${kind}"><svg width="22" height="8" aria-hidden="true"><line x1="0" x2="22" y1="4" y2="4"/></svg>${escape(name)}</span>`)
  return `<figure><figcaption><strong>${escape(title)}</strong><small>${escape(note)}</small></figcaption><div class="legend">${legend.join('')}</div>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(title)}">${grid.join('')}${bottom.join('')}
<text class="axis" x="${(space.left + width - space.right) / 2}" y="${height - 6}" text-anchor="middle">${escape(x)}</text><text class="axis" transform="translate(13 ${(height - space.bottom + space.top) / 2}) rotate(-90)" text-anchor="middle">${escape(y)}</text>
${limitLine}${drawn.join('')}</svg></figure>`
}

const format = (value) => Number(value.toPrecision(3)).toLocaleString('en')
