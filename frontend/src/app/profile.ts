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

export function loadProfile(): Profile {
  const stored = localStorage.getItem(storageKey());
  if (stored !== null) {
    try {
      const profile = JSON.parse(stored) as Profile;
      if (typeof profile.id === 'string') return profile;
    } catch {
      // Not ours to repair: fall through to a new profile, the databases stay where they are.
    }
  }
  return newProfile();
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
