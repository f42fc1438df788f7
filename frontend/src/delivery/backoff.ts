/** Exponential back-off with jitter, so that clients cut off together do not all come back together. */
export class Backoff {
  private failures = 0;

  constructor(
    private readonly firstMs = 500,
    private readonly maxMs = 30_000,
    private readonly random: () => number = Math.random,
  ) {}

  /** Milliseconds to wait after one more failure: between half and all of 500, 1000, 2000, … 30 000. */
  next(): number {
    const full = Math.min(this.maxMs, this.firstMs * 2 ** this.failures);
    this.failures = Math.min(this.failures + 1, 16);
    return full / 2 + (full / 2) * this.random();
  }

  reset(): void {
    this.failures = 0;
  }
}
