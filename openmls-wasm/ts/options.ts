/** What a client is opened with. */

import type { EngineHost, WasmSource } from './engine.js';
import type { CredentialValidator, GroupSettings, KeyPackageCapabilities } from './mls-types.js';
import type { Persister } from './persister.js';
import type { RetryPolicy } from './retry.js';
import type { VaultUnlock } from './vault/unlock.js';
import type { RequestWriter } from './writer-lock.js';

/** How a sealed database is opened. */
export interface VaultOptions {
  /** What unlocks it. A new one is made with it; more ways are added by `addVaultUnlock`. */
  readonly unlock: VaultUnlock;
}

/** Options of `CoreCryptoClient.open`. */
export interface CoreCryptoOptions {
  /** Name of the database: one per client (user and device). */
  readonly name: string;
  /**
   * The wasm: a URL, bytes, a compiled module, a response, or a promise of one of these.
   * Default: the file of the package, which bundlers find by themselves.
   */
  readonly wasm?: WasmSource | PromiseLike<WasmSource> | undefined;
  /** Whether the browser is asked to flush each transaction to the disk. Default `strict`. */
  readonly durability?: 'strict' | 'relaxed' | undefined;
  /** Refuse with `database-missing` if the database does not exist, instead of creating it. Default false: see `origin`. */
  readonly mustExist?: boolean | undefined;
  /**
   * What of the client's own records cannot be read is moved to the store `quarantine`, with the event `quarantined` for each;
   * then the rest is used. Default false: opening, or a call that needs such a record, is refused with `damaged-record`, and all
   * is left as it is. (Records of groups cost their group only: see `findDamagedGroups`.)
   */
  readonly quarantineDamaged?: boolean | undefined;
  /** How a failed write is repeated. Default: 8 attempts, from 50 ms to 5 s apart. */
  readonly retry?: Partial<RetryPolicy> | undefined;
  /** How groups that are created and joined from now on treat their messages; see `GroupSettings` for the defaults. */
  readonly groupSettings?: Partial<GroupSettings> | undefined;
  /** The app's own types of extensions and proposals that key packages made and groups created from now on list. */
  readonly capabilities?: KeyPackageCapabilities | undefined;
  /**
   * Asked about every credential before it enters a group (RFC 9420 §5.3.1): by what is received, also by what waited in
   * the durable queue, and by what this client adds or joins. A refusal leaves no trace: what was received is an item
   * `failed` of code `credential-rejected`, every other call rejects with that code. If it throws, the call rejects with
   * `validator-failed` and changes nothing; what waited in the durable queue waits there for the next open.
   *
   * Calls that may ask wait for those before them that concern the same group, not for those of others; calls that
   * cannot ask do not wait.
   *
   * Opening waits for the answers about what is in the durable queue. So a validator may await queries only, which work
   * as soon as it is asked: `groupInfo`, `listGroups`, `pendingProposals`, `externalPsks` and all `inspect…`.
   * It must not await `open`, `close`, a call that may ask itself (they receive, process, join or add), nor, while the
   * client is opening, any call that writes or rests on what is written, such as `identity`, `inbox` and
   * `deliveryCursor`: that would wait for ever.
   *
   * A proposal is asked about when it arrives, not when it is committed. An app that has used the database without a
   * validator calls `clearPendingProposals` for each group before it commits.
   *
   * Default: every credential that MLS finds valid may enter.
   */
  readonly validateCredential?: CredentialValidator | undefined;
  /** How many messages of epochs that were not reached yet are kept for a group, in 16 MiB at most. Default 1000. */
  readonly maxEarlyMessages?: number | undefined;
  /**
   * How much the groups in memory may take, in bytes of their records (in use they take about as much again); default
   * 32 MiB. Groups that were not used for longest leave memory when it is more, and are loaded again when they are used.
   */
  readonly memoryLimit?: number | undefined;
  /** Where records are kept. Default: an `IndexedDbPersister` over `name`. */
  readonly persister?: Persister | undefined;
  /** How the writer's role is obtained. Default: an exclusive Web Lock per `name`. */
  readonly requestWriter?: RequestWriter | undefined;
  /**
   * The database is sealed: everything in it is encrypted, under keys that {@link VaultOptions.unlock} opens. One that does not
   * exist is created so. Default: records are in the clear, which is for development and for looking at them.
   */
  readonly vault?: VaultOptions | undefined;
  /** What makes engines. Default: the package's wasm. */
  readonly engine?: EngineHost | undefined;
}
