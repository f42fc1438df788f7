import { requestPersistence, storageRoom, type StorageRoom } from 'openmls-wasm';
import { useCallback, useEffect, useState } from 'react';

export interface RoomState {
  /** `null`: the browser does not say. Undefined: not known yet. */
  room: StorageRoom | null | undefined;
  /** What the browser has answered. */
  asked: 'granted' | 'refused' | undefined;
  ask: () => void;
}

/** How much room there is, and the promise of the browser to keep it. */
export function useRoom(): RoomState {
  const [room, setRoom] = useState<StorageRoom | null>();
  const [asked, setAsked] = useState<RoomState['asked']>();

  useEffect(() => {
    let current = true;
    void storageRoom().then((found) => current && setRoom(found ?? null));
    return () => {
      current = false;
    };
  }, [asked]);

  const ask = useCallback(() => {
    void requestPersistence().then((answer) => setAsked(answer === true ? 'granted' : 'refused'));
  }, []);

  return { room, asked, ask };
}
