import { openDB, type DBSchema, type IDBPDatabase, type IDBPObjectStore } from 'idb';

/**
 * Which databases are this browser profile's; `?profile=` selects another set, so that two people can be tried out in
 * one browser.
 *
 * Kept in IndexedDB and not in localStorage, which a browser writes to the disk some seconds later: one that is killed
 * in between would start as new, with the identity still there and nobody knowing its name (promise G6).
 */
export interface Profile {
  /** Random part of the database names. */
  id: string;
  /** An identity was made: its database must be there from then on. */
  made?: true;
  /** The same, as it was noted before. A name has no place here: this note is in the clear. */
  user?: string;
  /** The delivery service has accepted this client. */
  registered?: boolean;
  /** It came out of a backup: others may hold what its former browser did after that was made. */
  restored?: true;
  /** A backup is being brought back: what there is of it counts for nothing until it is whole. */
  restoring?: true;
  /** The chat locks itself after so many minutes in which nobody touched it; not at all if undefined. */
  lockAfterMinutes?: number;
}

/** `?plain` keeps everything of a new user in the clear, so that it can be looked at in devtools: for development. */
export function isPlainWanted(): boolean {
  return new URLSearchParams(location.search).has('plain');
}

/** Whether an identity was made in this browser. */
export function isMade({ made, user }: Profile): boolean {
  return made === true || user !== undefined;
}

export function madeProfile({ user: _, ...profile }: Profile): Profile {
  return { ...profile, made: true };
}

function storageKey(): string {
  const selected = new URLSearchParams(location.search).get('profile');
  return selected === null || selected === '' ? 'chat-profile' : `chat-profile:${selected}`;
}

/** A profile that cannot be read is not replaced: it is the way to databases that hold keys. */
export class ProfileError extends Error {
  readonly code: 'damaged-profile' | 'indexeddb-unavailable';

  constructor(code: ProfileError['code'], cause?: unknown) {
    super(`the profile of this browser cannot be read: ${code}`, { cause });
    this.code = code;
  }
}

interface ProfilesSchema extends DBSchema {
  profiles: { key: string; value: Profile };
}

/** Runs `work` in one transaction and settles when it is on the disk. */
async function inTransaction<T>(work: (profiles: ProfileStore) => Promise<T>): Promise<T> {
  const database = await openProfiles();
  try {
    const transaction = database.transaction('profiles', 'readwrite', { durability: 'strict' });
    const [result] = await Promise.all([work(transaction.store), transaction.done]);
    return result;
  } finally {
    database.close();
  }
}

async function openProfiles(): Promise<IDBPDatabase<ProfilesSchema>> {
  try {
    return await openDB<ProfilesSchema>('chat profiles', 1, {
      upgrade: (fresh) => void fresh.createObjectStore('profiles'),
    });
  } catch (error) {
    // Also where there is no `indexedDB` at all: a TypeError would not tell the user what to do.
    throw new ProfileError('indexeddb-unavailable', error);
  }
}

type ProfileStore = IDBPObjectStore<ProfilesSchema, ['profiles'], 'profiles', 'readwrite'>;

/** The profile of this page; a new one where there is none yet, on the disk by now. Throws `ProfileError`. */
export function loadProfile(): Promise<Profile> {
  return inTransaction(async (profiles) => {
    const stored: unknown = await profiles.get(storageKey());
    if (stored === undefined) {
      const profile = freshProfile();
      await profiles.put(profile, storageKey());
      return profile;
    }
    if (typeof (stored as Partial<Profile> | null)?.id !== 'string') throw new ProfileError('damaged-profile');
    return stored as Profile;
  });
}

export async function newProfile(): Promise<Profile> {
  const profile = freshProfile();
  await saveProfile(profile);
  return profile;
}

/** Settles when the profile is on the disk. */
export function saveProfile(profile: Profile): Promise<void> {
  return inTransaction(async (profiles) => void (await profiles.put(profile, storageKey())));
}

function freshProfile(): Profile {
  return { id: crypto.randomUUID() };
}

export function cryptoDatabase(profile: Profile): string {
  return `openmls-wasm ${location.origin} ${profile.id}`;
}

export function historyDatabase(profile: Profile): string {
  return `chat ${location.origin} ${profile.id}`;
}
