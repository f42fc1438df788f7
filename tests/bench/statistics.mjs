/** The value below which `share` of the samples are; between two samples, linearly. */
export function quantile(samples, share) {
  const sorted = [...samples].sort((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const below = Math.floor(at)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below)
}

export const median = (samples) => quantile(samples, 0.5)

/** Median and quartiles. */
export const spread = (samples) => ({ median: median(samples), low: quantile(samples, 0.25), high: quantile(samples, 0.75) })

/**
 * How much more the measured blocks took than their neighbours of the baseline: median and quartiles of the ratio of each
 * pair. What disturbs the machine for a while disturbs both blocks of a pair.
 */
export function ratio(measured, baseline) {
  return spread(measured.map((block, index) => median(block) / median(baseline[index])))
}
