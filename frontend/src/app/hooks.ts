import { createContext, useCallback, useContext, useEffect, useState, useSyncExternalStore } from 'react';
import type { Conversation, ChatLine, Intention } from '../history/types.ts';
import { orderLines } from '../history/order.ts';
import type { ConnectionStatus, SyncEvents } from '../sync/context.ts';
import type { UnsavedMessage } from '../sync/states.ts';
import type { Session } from './session.ts';

export const SessionContext = createContext<Session | undefined>(undefined);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === undefined) throw new Error('used outside a session');
  return session;
}

/** Loads by `load` at once and again whenever one of the events concerns it; `undefined` until the first answer. */
function useLoaded<T>(
  load: () => Promise<T>,
  names: readonly (keyof SyncEvents)[],
  conversation?: string,
): T | undefined {
  const { engine } = useSession();
  const [loaded, setLoaded] = useState<{ load: () => Promise<T>; value: T }>();
  useEffect(() => {
    let current = true;
    let running = false;
    let again = false;
    const reload = async (): Promise<void> => {
      again = true;
      if (running) return;
      running = true;
      while (again && current) {
        again = false;
        const value = await load().catch(() => undefined);
        if (current && value !== undefined) setLoaded({ load, value });
      }
      running = false;
    };
    const unlisten = names.map((name) =>
      engine.events.on(name, (detail) => {
        if (conversation === undefined || typeof detail !== 'string' || detail === conversation) void reload();
      }),
    );
    void reload();
    return () => {
      current = false;
      for (const stop of unlisten) stop();
    };
    // `names` is a constant of the call site.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [engine, load, conversation]);
  return loaded?.load === load ? loaded.value : undefined;
}

export function useConversations(): Conversation[] | undefined {
  const { history } = useSession();
  const load = useCallback(() => history.conversations(), [history]);
  return useLoaded(load, ['conversations']);
}

export interface Lines {
  lines: ChatLine[];
  unsaved: UnsavedMessage[];
  more: boolean;
}

export function useLines(conversation: string, limit: number): Lines | undefined {
  const { history, engine } = useSession();
  const load = useCallback(async () => {
    const { lines, more } = await history.lines(conversation, limit);
    const ordered = orderLines(lines, (id) => engine.states.standsLast(id));
    const known = new Set(lines.map(({ id }) => id));
    const unsaved = engine.states.unsavedIn(conversation).filter(({ id }) => !known.has(id));
    return { lines: ordered, unsaved, more };
  }, [history, engine, conversation, limit]);
  const loaded = useLoaded(load, ['lines'], conversation);
  // While more lines are being loaded, go on showing the ones that are there.
  const [last, setLast] = useState<{ conversation: string; value: Lines }>();
  if (loaded !== undefined && last?.value !== loaded) setLast({ conversation, value: loaded });
  return loaded ?? (last?.conversation === conversation ? last.value : undefined);
}

export function useIntentions(conversation: string): Intention[] | undefined {
  const { engine } = useSession();
  const load = useCallback(() => engine.intentions(conversation), [engine, conversation]);
  return useLoaded(load, ['members'], conversation);
}

export function useStatus(): ConnectionStatus {
  const { engine } = useSession();
  const subscribe = useCallback((changed: () => void) => engine.events.on('status', changed), [engine]);
  return useSyncExternalStore(subscribe, () => engine.status);
}

/**
 * The conversation in the address bar, by the name that it has outside of the history: `#c/<name>`. The browser writes
 * down every address, in the clear.
 */
export function useSelected(): [string | undefined, (name: string | undefined) => void] {
  const subscribe = useCallback((changed: () => void) => {
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  const hash = useSyncExternalStore(subscribe, () => location.hash);
  const selected = /^#c\/([0-9a-f]+)$/.exec(hash)?.[1];
  const select = useCallback((name: string | undefined) => {
    location.hash = name === undefined ? '' : `c/${name}`;
  }, []);
  return [selected, select];
}

export type StorageTrouble = 'crypto' | 'history' | 'rolled-back' | undefined;

/** Whether this device can save at the moment. */
export function useStorageTrouble(): [StorageTrouble, () => void] {
  const { client, engine } = useSession();
  const [trouble, setTrouble] = useState<StorageTrouble>();
  useEffect(() => {
    const unlisten = [
      client.on('storage-error', () => setTrouble('crypto')),
      client.on('storage-recovered', () => setTrouble(undefined)),
      client.on('rolled-back', () => setTrouble('rolled-back')),
      engine.events.on('history-error', (error) => setTrouble(error === undefined ? undefined : 'history')),
    ];
    return () => {
      for (const stop of unlisten) stop();
    };
  }, [client, engine]);
  return [trouble, useCallback(() => setTrouble(undefined), [])];
}
