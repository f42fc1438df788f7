import type { CoreCryptoClient, StorageRoom } from 'openmls-wasm';

/** Remembers that there is little room left: the client tells it once, when nobody may be looking yet. */
export class RoomNotice {
  private room: StorageRoom | undefined;
  private readonly listeners = new Set<() => void>();

  constructor(client: Pick<CoreCryptoClient, 'on'>) {
    client.on('storage-low', (room) => this.set(room));
  }

  /** What there is, if it is little and nobody has closed the notice. */
  readonly low = (): StorageRoom | undefined => this.room;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  dismiss(): void {
    this.set(undefined);
  }

  private set(room: StorageRoom | undefined): void {
    this.room = room;
    for (const listener of [...this.listeners]) listener();
  }
}

const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];

/** “1.4 MB”. */
export function sizeText(bytes: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${size.toLocaleString(undefined, { maximumFractionDigits: unit === 0 || size >= 100 ? 0 : 1 })} ${units[unit]}`;
}
