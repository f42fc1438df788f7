/**
 * Which databases are this browser profile's. Kept in localStorage; `?profile=` selects another set, so that two
 * people can be tried out in one browser.
 */
export interface Profile {
  /** Random part of the database names. */
  id: string;
  /** Set once an identity was made: its database must be there from then on. */
  user?: string;
  /** The delivery service has accepted this client. */
  registered?: boolean;
}

function storageKey(): string {
  const selected = new URLSearchParams(location.search).get('profile');
  return selected === null || selected === '' ? 'chat-profile' : `chat-profile:${selected}`;
}

/** A profile that cannot be read is not replaced: it is the way to databases that hold keys. */
export class ProfileError extends Error {
  readonly code = 'damaged-profile';
}

/** The profile of this page; a new one where there is none yet. Throws `ProfileError`. */
export function loadProfile(): Profile {
  const stored = localStorage.getItem(storageKey());
  if (stored === null) return newProfile();
  let profile: Partial<Profile> | null;
  try {
    profile = JSON.parse(stored) as Partial<Profile> | null;
  } catch {
    throw new ProfileError();
  }
  if (typeof profile?.id !== 'string') throw new ProfileError();
  return { ...profile, id: profile.id };
}

export function newProfile(): Profile {
  const profile: Profile = { id: crypto.randomUUID() };
  saveProfile(profile);
  return profile;
}

export function saveProfile(profile: Profile): void {
  localStorage.setItem(storageKey(), JSON.stringify(profile));
}

export function cryptoDatabase(profile: Profile): string {
  return `openmls-wasm ${location.origin} ${profile.id}`;
}

export function historyDatabase(profile: Profile): string {
  return `chat ${location.origin} ${profile.id}`;
}
