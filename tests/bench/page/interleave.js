/**
 * Runs the arms in blocks, in turn forwards and backwards, so that a machine that slows down slows down all alike.
 * `prepare` runs before each block, and is not measured.
 */
export async function interleave(arms, { blocks, warmUp, prepare }) {
  const names = Object.keys(arms)
  const results = Object.fromEntries(names.map((name) => [name, []]))
  for (let block = -warmUp; block < blocks; block += 1) {
    const prepared = await prepare?.()
    for (const name of block % 2 === 0 ? names : [...names].reverse()) {
      const samples = await arms[name](prepared)
      if (block >= 0) results[name].push(samples)
    }
  }
  return results
}

/** `count` times: the milliseconds that `work` says it took. */
export async function repeat(count, work) {
  const samples = []
  for (let n = 0; n < count; n += 1) samples.push(await work(n))
  return samples
}

/** The milliseconds that `work` takes, until what it returns has settled. */
export async function timed(work) {
  const started = performance.now()
  await work()
  return performance.now() - started
}

/** The same for what does not wait: a microtask more would be measured otherwise. */
export function timedSync(work) {
  const started = performance.now()
  work()
  return performance.now() - started
}
