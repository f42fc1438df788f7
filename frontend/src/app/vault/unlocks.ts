import type { VaultUnlockInfo } from 'openmls-wasm';
import { useSyncExternalStore } from 'react';
import { useSession } from '../hooks.ts';

/** The ways to unlock the vault, as every view that shows them sees them. */
export class UnlockList {
  private readonly listeners = new Set<() => void>();

  constructor(private unlocks: readonly VaultUnlockInfo[]) {}

  readonly all = (): readonly VaultUnlockInfo[] => this.unlocks;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  set(unlocks: readonly VaultUnlockInfo[]): void {
    this.unlocks = unlocks;
    for (const listener of [...this.listeners]) listener();
  }
}

export function useUnlocks(): readonly VaultUnlockInfo[] {
  const { unlocks } = useSession();
  return useSyncExternalStore(unlocks.subscribe, unlocks.all);
}

/** Whether locking means anything: whoever opens the page again is asked for something. */
export function useLockable(): boolean {
  const unlocks = useUnlocks();
  return unlocks.length > 0 && unlocks.every(({ kind }) => kind !== 'device');
}
