/** Backups by themselves: every so many commits, before members are removed, every so often; the oldest go. */

import type { CoreCryptoClient } from '../core-crypto-client.js';
import { CoreCryptoError } from '../errors.js';
import type { SnapshotKey } from '../types/snapshots.js';
import type { SnapshotSink } from './sinks.js';

/** When snapshots are made, and where they go. */
export interface ScheduleOptions {
  /** What opens them; kept as a key that no script can export, not as it is. */
  readonly passphrase: string | SnapshotKey;
  /** Where they go: `opfsSink`, or one of the app's. */
  readonly sink: SnapshotSink;
  /** After so many commits, of all groups together. */
  readonly everyCommits?: number | undefined;
  /** Before this client makes a commit that removes members: it waits for the snapshot. */
  readonly beforeRemoval?: boolean | undefined;
  /** After so many milliseconds, if something was saved since. */
  readonly everyMs?: number | undefined;
  /** How many are kept in the sink; default 3. Those of other names are left alone. */
  readonly keep?: number | undefined;
  /** What the names begin with; default `snapshot`. */
  readonly prefix?: string | undefined;
  /** What the app adds to each. */
  readonly appData?: (() => Blob | Promise<Blob>) | undefined;
  /** Told why one could not be made. The next one is tried all the same. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

const EXTENSION = '.mls-snapshot';

/** Makes backups of a client until it is stopped. */
export class SnapshotSchedule {
  readonly #client: CoreCryptoClient;
  readonly #options: ScheduleOptions;
  readonly #key: SnapshotKey;
  readonly #ends: (() => void)[] = [];
  #commits = 0;
  #changed = false;
  #taking: Promise<void> = Promise.resolve();

  private constructor(client: CoreCryptoClient, options: ScheduleOptions, key: SnapshotKey) {
    this.#client = client;
    this.#options = options;
    this.#key = key;
  }

  /**
   * Begins.
   * @throws CoreCryptoError `invalid-argument`
   */
  static async start(client: CoreCryptoClient, options: ScheduleOptions): Promise<SnapshotSchedule> {
    const { passphrase, everyCommits, beforeRemoval, everyMs, keep } = options;
    for (const [name, value] of Object.entries({ everyCommits, everyMs, keep })) {
      if (value !== undefined && (!Number.isInteger(value) || value < 1)) {
        throw new CoreCryptoError('invalid-argument', `${name} is not a whole number above 0`);
      }
    }
    const key = typeof passphrase === 'string' ? await client.snapshotKey(passphrase) : passphrase;
    const schedule = new SnapshotSchedule(client, { ...options, passphrase: key }, key);
    if (beforeRemoval === true) {
      schedule.#ends.push(client.beforeRemovals(() => schedule.#try()));
    }
    if (everyCommits !== undefined) {
      schedule.#countCommits(everyCommits);
    }
    if (everyMs !== undefined) {
      schedule.#ends.push(client.on('saved', () => (schedule.#changed = true)));
      const timer = setInterval(() => {
        if (schedule.#changed) {
          void schedule.#try();
        }
      }, everyMs);
      schedule.#ends.push(() => clearInterval(timer));
    }
    return schedule;
  }

  /** Makes one now; one at a time. Rejects if it could not be made. */
  take(): Promise<void> {
    const taken = this.#taking.then(() => this.#take());
    this.#taking = taken.catch(() => undefined);
    return taken;
  }

  /** Makes no more. Settles when the one that is under way is made. */
  async stop(): Promise<void> {
    this.#ends.splice(0).forEach((end) => end());
    await this.#taking;
  }

  #countCommits(every: number): void {
    const count = (commits: number): void => {
      this.#commits += commits;
      if (this.#commits >= every) {
        void this.#try();
      }
    };
    const client = this.#client;
    this.#ends.push(
      client.on('inbox', ({ items }) => count(items.filter((item) => item.kind === 'commit' && !item.own).length)),
      client.on('outbox', ({ entries }) => count(entries.filter(({ kind }) => kind === 'commit').length)),
    );
    this.#commits = 0;
  }

  async #try(): Promise<void> {
    try {
      await this.take();
    } catch (error) {
      this.#options.onError?.(error);
    }
  }

  async #take(): Promise<void> {
    const { sink, appData, prefix = 'snapshot' } = this.#options;
    this.#commits = 0;
    this.#changed = false;
    const added = await appData?.();
    const content = await this.#client.exportSnapshot({ passphrase: this.#key, ...(added !== undefined && { appData: added }) });
    // In the order of time, also by name.
    await sink.save(`${prefix} ${new Date().toISOString().replaceAll(':', '.')}${EXTENSION}`, content);
    await this.#rotate(prefix);
  }

  /** Only when the new one is there. */
  async #rotate(prefix: string): Promise<void> {
    const { sink, keep = 3 } = this.#options;
    const names = (await sink.list?.()) ?? [];
    const own = names.filter((name) => name.startsWith(`${prefix} `) && name.endsWith(EXTENSION)).sort();
    for (const name of own.slice(0, Math.max(0, own.length - keep))) {
      await sink.remove?.(name);
    }
  }
}
