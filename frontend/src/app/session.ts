import { CoreCryptoClient, type Identity } from 'openmls-wasm';
import { identityBytes, parseIdentity, toBase64Url, type Address } from '../delivery/bytes.ts';
import { DeliveryClient } from '../delivery/client.ts';
import { History } from '../history/history.ts';
import { codeOf, newId } from '../sync/context.ts';
import { SyncEngine } from '../sync/engine.ts';
import { cryptoDatabase, historyDatabase, newProfile, saveProfile, type Profile } from './profile.ts';

const signInLabel = 'openmls-wasm sign-in';

/** A user who is signed in: everything the views need. */
export interface Session {
  own: Address;
  /** What another device of this user types in to link this one. */
  linkCode: string;
  client: CoreCryptoClient;
  delivery: DeliveryClient;
  history: History;
  engine: SyncEngine;
}

/** An opened crypto client that the delivery service may not know yet. */
export interface Candidate {
  profile: Profile;
  client: CoreCryptoClient;
  own: Address;
  linkCode: string;
  delivery: DeliveryClient;
}

/** An outcome that must not be mistaken for an empty start (promise G6). */
export class SessionError extends Error {
  constructor(readonly code: string) {
    super(code);
  }
}

/** Opens this profile's crypto client. Throws errors with a `code`; nothing is ever replaced or deleted. */
export async function openClient(profile: Profile): Promise<{ client: CoreCryptoClient; candidate: Candidate | undefined }> {
  const client = await CoreCryptoClient.open({ name: cryptoDatabase(profile), mustExist: profile.user !== undefined });
  const identity = await client.identity();
  if (identity === undefined) {
    if (profile.user === undefined) return { client, candidate: undefined };
    await client.close();
    throw new SessionError('database-missing');
  }
  return { client, candidate: candidateOf(profile, client, identity) };
}

/** Makes the identity of a new client of `user`. Settles when it is durable. */
export async function createIdentity(profile: Profile, client: CoreCryptoClient, user: string): Promise<Candidate> {
  const address = { user, client: newId().slice(0, 16) };
  const identity = await client.createIdentity(identityBytes(address));
  const named = { ...profile, user };
  await saveProfile(named);
  return candidateOf(named, client, identity);
}

/** Throws `DeliveryError` when the delivery service cannot be reached: before a name is tied to a new identity. */
export async function reachDeliveryService(): Promise<void> {
  const nobody = { user: '', client: '', publicKey: new Uint8Array(), registered: false, sign: async () => new Uint8Array() };
  await new DeliveryClient(location.origin, nobody).reach();
}

function candidateOf(profile: Profile, client: CoreCryptoClient, identity: Identity): Candidate {
  const own = parseIdentity(identity.identity);
  const delivery = new DeliveryClient(location.origin, {
    ...own,
    publicKey: identity.signaturePublicKey,
    registered: profile.registered === true,
    sign: (challenge) => client.signWithLabel(signInLabel, challenge),
  });
  return { profile, client, own, linkCode: toBase64Url(identity.signaturePublicKey), delivery };
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

export async function startSession(candidate: Candidate): Promise<Session> {
  const { client, own, linkCode, delivery, profile } = candidate;
  const history = await History.open(historyDatabase(profile), own);
  const engine = new SyncEngine({ client, delivery, history, own });
  engine.events.on('problem', ({ where, error }) => {
    console.warn(`sync: ${where}: ${codeOf(error) ?? (error as Error | undefined)?.name ?? 'unknown'}`);
  });
  await engine.start();
  return { own, linkCode, client, delivery, history, engine };
}

/** Gives up an identity whose name belonged to someone else. It was never registered: it has no groups. */
export async function abandonCandidate(candidate: Candidate): Promise<Profile> {
  if (candidate.profile.registered === true) throw new SessionError('registered');
  const name = cryptoDatabase(candidate.profile);
  await candidate.client.close();
  const profile = await newProfile();
  indexedDB.deleteDatabase(name);
  return profile;
}
