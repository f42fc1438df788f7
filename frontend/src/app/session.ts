import { CoreCryptoClient, type Identity, type VaultProgress, type VaultUnlock } from 'openmls-wasm';
import { identityBytes, parseIdentity, toBase64Url, type Address } from '../delivery/bytes.ts';
import { DeliveryClient } from '../delivery/client.ts';
import { History } from '../history/history.ts';
import { codeOf, newId } from '../sync/context.ts';
import { SyncEngine } from '../sync/engine.ts';
import { cryptoDatabase, historyDatabase, isMade, madeProfile, newProfile, saveProfile, type Profile } from './profile.ts';
import { RoomNotice } from './storage/room.ts';
import { UnlockList } from './vault/unlocks.ts';

const signInLabel = 'openmls-wasm sign-in';

/** How far something is that has to be done before the chat can be shown. `history`: the chat's own database is sealed. */
export interface WorkProgress {
  what: VaultProgress['state'] | 'history';
  records: number;
  /** Records that cannot be read, and stay as they are. */
  damaged?: number;
  /** Of all; undefined where that is not known. */
  part?: number;
}

export type Report = (progress: WorkProgress) => void;

/** An open crypto client. */
export interface Opened {
  profile: Profile;
  client: CoreCryptoClient;
  /** It has a vault, and what the chat stores is sealed too. */
  sealed: boolean;
  room: RoomNotice;
}

/** One with an identity, that the delivery service may not know yet. */
export interface Candidate extends Opened {
  own: Address;
  linkCode: string;
  delivery: DeliveryClient;
}

/** A user who is signed in: everything the views need. */
export interface Session extends Opened {
  own: Address;
  /** What another device of this user types in to link this one. */
  linkCode: string;
  delivery: DeliveryClient;
  history: History;
  engine: SyncEngine;
  /** The ways to unlock the vault; none if there is none. */
  unlocks: UnlockList;
}

/** An outcome that must not be mistaken for an empty start (promise G6). */
export class SessionError extends Error {
  constructor(readonly code: string) {
    super(code);
  }
}

/**
 * Opens this profile's crypto client. Throws errors with a `code`; nothing is ever replaced or deleted.
 * @param unlock undefined: in the clear
 */
export async function openDatabase(profile: Profile, unlock: VaultUnlock | undefined, mustExist: boolean, report: Report): Promise<Opened> {
  const client = new CoreCryptoClient({ name: cryptoDatabase(profile), mustExist, ...(unlock === undefined ? {} : { vault: { unlock } }) });
  // Before it is open: both may be told while it opens.
  client.on('vault-progress', (progress) => report(ofVault(progress)));
  const room = new RoomNotice(client);
  await client.open();
  return { profile, client, sealed: unlock !== undefined, room };
}

export function ofVault({ state, records, damaged, storesDone, stores }: VaultProgress): WorkProgress {
  return { what: state, records, damaged, part: storesDone / stores };
}

/** Whose client it is; undefined if it has no identity yet. */
export async function identify(opened: Opened): Promise<Candidate | undefined> {
  const identity = await opened.client.identity();
  if (identity !== undefined) return candidateOf(await noted(opened), identity);
  if (!isMade(opened.profile)) return undefined;
  await opened.client.close();
  throw new SessionError('database-missing');
}

/** Also a client whose page was closed before the profile was written, and one that has been sealed since. */
async function noted(opened: Opened): Promise<Opened> {
  if (opened.profile.made === true && opened.profile.user === undefined) return opened;
  const profile = madeProfile(opened.profile);
  await saveProfile(profile);
  return { ...opened, profile };
}

/** Makes the identity of a new client of `user`. Settles when it is durable. */
export async function createIdentity(opened: Opened, user: string): Promise<Candidate> {
  const address = { user, client: newId().slice(0, 16) };
  const identity = await opened.client.createIdentity(identityBytes(address));
  return candidateOf(await noted(opened), identity);
}

/** Throws `DeliveryError` when the delivery service cannot be reached: before a name is tied to a new identity. */
export async function reachDeliveryService(): Promise<void> {
  const nobody = { user: '', client: '', publicKey: new Uint8Array(), registered: false, sign: async () => new Uint8Array() };
  await new DeliveryClient(location.origin, nobody).reach();
}

function candidateOf(opened: Opened, identity: Identity): Candidate {
  const own = parseIdentity(identity.identity);
  const delivery = new DeliveryClient(location.origin, {
    ...own,
    publicKey: identity.signaturePublicKey,
    registered: opened.profile.registered === true,
    sign: (challenge) => opened.client.signWithLabel(signInLabel, challenge),
  });
  return { ...opened, own, linkCode: toBase64Url(identity.signaturePublicKey), delivery };
}

/** Registers the client the first time. Throws `DeliveryError`, code `not-linked` when the name is taken. */
export async function register(candidate: Candidate): Promise<void> {
  if (candidate.profile.registered === true) return;
  await candidate.delivery.token();
  candidate.profile = { ...candidate.profile, registered: true };
  await saveProfile(candidate.profile);
  // Asked once the user has something to lose; the browser may evict the databases otherwise.
  void navigator.storage?.persist?.().catch(() => undefined);
}

export async function startSession(candidate: Candidate, report: Report): Promise<Session> {
  const { client, own, delivery, profile, sealed } = candidate;
  const history = await History.open(historyDatabase(profile), own, {
    vault: sealed ? client : undefined,
    onSealing: (records) => report({ what: 'history', records }),
  });
  const engine = new SyncEngine({ client, delivery, history, own, restored: profile.restored });
  engine.events.on('problem', ({ where, error }) => {
    console.warn(`sync: ${where}: ${codeOf(error) ?? (error as Error | undefined)?.name ?? 'unknown'}`);
  });
  await engine.start();
  const unlocks = new UnlockList(sealed ? await client.vaultUnlocks() : []);
  return { ...candidate, history, engine, unlocks };
}

/** Gives up an identity whose name belonged to someone else. It was never registered: it has no groups. */
export async function abandonCandidate(candidate: Candidate): Promise<Profile> {
  if (candidate.profile.registered === true) throw new SessionError('registered');
  return abandonUnused(candidate);
}

/** Gives up a database without an identity, or with one that nobody knows. */
export async function abandonUnused({ profile, client }: Opened): Promise<Profile> {
  const name = cryptoDatabase(profile);
  await client.close();
  const next = await newProfile();
  indexedDB.deleteDatabase(name);
  return next;
}
