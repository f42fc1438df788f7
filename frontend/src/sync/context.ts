import type { CoreCryptoClient } from 'openmls-wasm';
import { addressText, type Address } from '../delivery/bytes.ts';
import type { DeliveryClient } from '../delivery/client.ts';
import { isUnreachable } from '../delivery/errors.ts';
import type { History } from '../history/history.ts';
import type { Emitter } from './emitter.ts';
import type { Lane } from './lane.ts';
import type { MessageStates } from './states.ts';

export type ConnectionStatus = 'connecting' | 'online' | 'offline';

export type SyncEvents = {
  /** The list of conversations, or something shown in it, changed. */
  conversations: undefined;
  /** Lines or message states of this conversation changed. */
  lines: string;
  /** Members or intentions of this conversation changed. */
  members: string;
  status: ConnectionStatus;
  /** The delivery service does not let this client in. */
  'sign-in-refused': string;
  /** The database of this device was put back; the group of this conversation is joined anew before anything is sent. */
  'joining-anew': string;
  /** The app's own history could not be written; `undefined` when it can again. */
  'history-error': unknown;
  /** Something unexpected that the user can do nothing about; for the console. */
  problem: { where: string; error: unknown };
};

/** What the parts of the sync engine share. */
export interface SyncContext {
  readonly client: CoreCryptoClient;
  readonly delivery: DeliveryClient;
  readonly history: History;
  readonly own: Address;
  readonly ownAddress: string;
  /** This client came out of a backup: what it did after that is known to the delivery service only. */
  readonly restored?: boolean | undefined;
  readonly events: Emitter<SyncEvents>;
  readonly states: MessageStates;
  /**
   * Waits for a write of the history that only the views need. Its failure is reported; it does not hold up the
   * group, whose messages go on being sent and received.
   */
  forViews<T>(write: Promise<T>): Promise<T | undefined>;
  /** Takes the crypto client's inbox over into the history. */
  readonly handOver: Lane;
}

export function sharedContext(
  parts: Omit<SyncContext, 'ownAddress'>,
): SyncContext {
  return { ...parts, ownAddress: addressText(parts.own) };
}

/** Codes of the crypto client after which nothing works until the page is reloaded, or the vault unlocked. */
const fatalCodes = new Set(['closed', 'writer-lost', 'vault-locked']);

export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** Whether doing the same again later can go better: the network, the disk, a restarted engine. */
export function worthRetrying(error: unknown): boolean {
  return isUnreachable(error) || !fatalCodes.has(codeOf(error) ?? '');
}

export function newId(): string {
  return crypto.randomUUID().replaceAll('-', '');
}
