/**
 * What crosses the boundary between wasm and TypeScript.
 *
 * All bytes are `Uint8Array`. An epoch is a `bigint` (64 bits, RFC 9420 §12.1); leaf indexes, positions of the delivery
 * service and sequence numbers are `number`. Names are those of RFC 9420.
 * One file per area, in `types/`.
 */

export type * from './types/client-api.js';
export type * from './types/commits.js';
export type * from './types/external.js';
export type * from './types/external-proposals.js';
export type * from './types/groups.js';
export type * from './types/identity.js';
export type * from './types/inbox.js';
export type * from './types/inspection.js';
export type * from './types/key-packages.js';
export type * from './types/messages.js';
export type * from './types/outbox.js';
export type * from './types/proposals.js';
export type * from './types/receiving.js';
export type * from './types/recovery.js';
export type * from './types/requests.js';
export type * from './types/settings.js';
export type * from './types/snapshots.js';
export type * from './types/storage.js';
