/** What all methods of `CoreCryptoClient` rest on: the session, and the ways a call runs. */

import type { CoreCryptoEvents } from '../events.js';
import type { ProcessEntry } from '../incoming-queue.js';
import type { InboxItem, MlsClientApi, OutboxEntry } from '../mls-types.js';
import type { CoreCryptoOptions } from '../options.js';
import type { DatabaseOrigin } from '../persister.js';
import { Session, type ClientState, type MakeEngineHost } from '../session.js';
import type { WriteBehind } from '../write-behind.js';

/** The life of a client, and the ways a call runs. Part of `CoreCryptoClient`. */
export abstract class ClientBase {
  /** Not part of the API. */
  protected readonly session: Session;

  /** @internal */
  constructor(options: CoreCryptoOptions, makeHost: MakeEngineHost) {
    this.session = new Session(options, makeHost);
  }

  /** Opens this client; see `CoreCryptoClient.open`. Calling it again returns the same promise. */
  open(): Promise<void> {
    return this.session.open((loop) => this.#processEntry(loop));
  }

  /** `opening` until {@link open} has succeeded; `failed` if it has not, or if another client took the database over. */
  get state(): ClientState {
    return this.session.state;
  }

  /**
   * Once open: whether opening created the database, or found one. Undefined before.
   *
   * An app that has had an identity here and sees `created` knows that its data is missing: evicted by the browser,
   * cleared by the user, or of another profile or origin (promise G6). So does one that sees `restored` and has no
   * {@link identity}: the database was lost before, and an opening since then created it anew. To have none created in
   * the first place, open with `mustExist`.
   */
  get origin(): DatabaseOrigin | undefined {
    return this.session.origin;
  }

  /**
   * Waits for what is under way, then gives back the lock, the connection and the wasm instance. Never rejects. A call of
   * which it is not known whether it was stored gets one more look into the database, then rejects with `outcome-unknown`.
   */
  close(): Promise<void> {
    return this.session.close();
  }

  /** Settles when everything called so far is durable. Ends a wait between two attempts to write. */
  flush(): Promise<void> {
    return this.session.withLoop((loop) => loop.flush());
  }

  /**
   * Listens to an event; see {@link CoreCryptoEvents}.
   * @returns a function that ends it
   */
  on<Name extends keyof CoreCryptoEvents>(
    name: Name,
    listener: (event: CoreCryptoEvents[Name]) => void,
  ): () => void {
    return this.session.events.on(name, listener);
  }

  /**
   * Runs an operation whose result must rest on durable state. Also used for queries whose answer leaves the device or
   * makes the delivery service forget something: what they tell may be a change that is not durable yet.
   */
  protected change<T>(operation: (client: MlsClientApi) => T): Promise<T> {
    return this.session.withLoop((loop) => loop.run(operation));
  }

  protected read<T>(operation: (client: MlsClientApi) => T): Promise<T> {
    return this.session.withLoop((loop) => loop.read(operation));
  }

  protected async send(operation: (client: MlsClientApi) => OutboxEntry): Promise<OutboxEntry> {
    const entry = await this.change(operation);
    this.session.events.emit('outbox', { entries: [entry] });
    return entry;
  }

  /** Runs an operation that produces an item of the inbox, and announces it. */
  protected async receive(operation: (client: MlsClientApi) => InboxItem | undefined): Promise<InboxItem | undefined> {
    return this.#announced(await this.change(withEarlyItems(operation)));
  }

  /** Runs an operation that may reach an epoch of which messages were kept, and announces their items. */
  protected async advance<T>(operation: (client: MlsClientApi) => T): Promise<T> {
    const { value, early } = await this.change(withEarlyItems(operation));
    this.announce(early);
    return value;
  }

  protected announce(items: readonly InboxItem[]): void {
    if (items.length > 0) {
      this.session.events.emit('inbox', { items });
    }
  }

  #announced({ value, early }: WithEarlyItems<InboxItem | undefined>): InboxItem | undefined {
    this.announce(value === undefined ? early : [value, ...early]);
    return value;
  }

  /** How an entry of the durable queue is processed: its end is part of the transaction of its effect. */
  #processEntry(loop: WriteBehind): ProcessEntry {
    return async ({ kind, message }, key) => {
      const receive = (client: MlsClientApi): InboxItem | undefined =>
        kind === 'message' ? client.receiveMessage(message) : client.receiveWelcome(message);
      return this.#announced(await loop.run(withEarlyItems(receive), key));
    };
  }
}

/** What an operation returned, and the items that it produced out of messages which had been kept for their epoch. */
interface WithEarlyItems<T> {
  readonly value: T;
  readonly early: readonly InboxItem[];
}

function withEarlyItems<T>(operation: (client: MlsClientApi) => T): (client: MlsClientApi) => WithEarlyItems<T> {
  return (client) => {
    const value = operation(client);
    return { value, early: client.takeEarlyItems() };
  };
}
