import type { VaultUnlock } from 'openmls-wasm';
import { createContext, useContext } from 'react';
import type { Profile } from './profile.ts';

/** What ends the session, and leads to another one. */
export interface Actions {
  lock(): void;
  /** Seals everything anew, with a new data key. */
  renewKey(unlock: VaultUnlock): void;
  /** Seals what was in the clear so far. */
  seal(unlock: VaultUnlock): void;
  /** Settles when it is on the disk. */
  setProfile(profile: Profile): Promise<void>;
}

export const ActionsContext = createContext<Actions | undefined>(undefined);

export function useActions(): Actions {
  const actions = useContext(ActionsContext);
  if (actions === undefined) throw new Error('used outside a session');
  return actions;
}
