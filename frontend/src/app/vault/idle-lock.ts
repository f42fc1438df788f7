/** How often it is looked whether the time is over. A timer of the whole length stands still while a computer sleeps. */
const lookEveryMs = 5000;
const signs = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'] as const;

/** Locks when nobody has touched the page for some time. */
export class IdleLock {
  private last: number;
  private readonly timer: ReturnType<typeof setInterval>;

  constructor(
    private readonly minutes: number,
    private readonly lock: () => void,
    private readonly now: () => number = () => Date.now(),
    private readonly target: Pick<EventTarget, 'addEventListener' | 'removeEventListener'> = document,
  ) {
    this.last = now();
    for (const sign of signs) target.addEventListener(sign, this.touched, { passive: true, capture: true });
    // Back at a page that was in the background for long: locked before anything of it can be read.
    target.addEventListener('visibilitychange', this.look);
    this.timer = setInterval(this.look, lookEveryMs);
  }

  stop(): void {
    clearInterval(this.timer);
    for (const sign of signs) this.target.removeEventListener(sign, this.touched, { capture: true });
    this.target.removeEventListener('visibilitychange', this.look);
  }

  private readonly touched = (): void => {
    // Also by the very movement with which somebody comes back.
    this.look();
    this.last = this.now();
  };

  private readonly look = (): void => {
    if (this.now() - this.last < this.minutes * 60_000) return;
    this.stop();
    this.lock();
  };
}
