import { Backoff } from '../delivery/backoff.ts';

interface Waiter {
  resolve: () => void;
  reject: (reason: unknown) => void;
}

/**
 * Runs one piece of work over and over, never twice at a time: a request made while it runs makes it run once
 * more. A failed run is repeated with back-off, for as long as `worthRetrying` says so.
 */
export class Lane {
  private running = false;
  private again = false;
  private stopped = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private waiters: Waiter[] = [];

  constructor(
    private readonly work: () => Promise<void>,
    private readonly worthRetrying: (error: unknown) => boolean,
    private readonly backoff: Backoff = new Backoff(),
  ) {}

  kick(): void {
    if (this.stopped) return;
    this.again = true;
    if (!this.running) void this.loop();
  }

  /** Runs now instead of after the back-off. */
  kickFresh(): void {
    this.backoff.reset();
    this.kick();
  }

  /** Settles when a run that began after this call has succeeded; rejects when retrying was given up. */
  run(): Promise<void> {
    if (this.stopped) return Promise.reject(new Error('stopped'));
    return new Promise((resolve, reject) => {
      this.waiters.push({ resolve, reject });
      this.kick();
    });
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    this.settle(this.waiters.splice(0), (waiter) => waiter.reject(new Error('stopped')));
  }

  private async loop(): Promise<void> {
    this.running = true;
    clearTimeout(this.timer);
    while (this.again && !this.stopped) {
      this.again = false;
      const waiting = this.waiters.splice(0);
      try {
        await this.work();
        this.backoff.reset();
        this.settle(waiting, (waiter) => waiter.resolve());
      } catch (error) {
        if (this.stopped || !this.worthRetrying(error)) {
          this.settle(waiting, (waiter) => waiter.reject(error));
          continue;
        }
        this.waiters.unshift(...waiting);
        if (!this.again) this.timer = setTimeout(() => this.kick(), this.backoff.next());
      }
    }
    this.running = false;
  }

  private settle(waiters: Waiter[], how: (waiter: Waiter) => void): void {
    for (const waiter of waiters) how(waiter);
  }
}
