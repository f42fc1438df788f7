/** Where snapshots go. */

import { CoreCryptoError } from '../errors.js';

/** Where snapshots go: a few methods, for a server or whatever the app has. */
export interface SnapshotSink {
  /** Stores a snapshot under a name. Until it has settled, what is stored under that name does not count. */
  save(name: string, content: ReadableStream<Uint8Array>): Promise<void>;
  /** The names that are stored. Without it, nothing is ever removed. */
  list?(): Promise<readonly string[]>;
  /** Removes one. */
  remove?(name: string): Promise<void>;
}

/** Hands each snapshot to the user, as a download. For one that is asked for by a click; browsers refuse many in a row. */
export function downloadSink(): SnapshotSink {
  return {
    save: async (name, content) => {
      // A Blob lies on the disk if it is large.
      const url = URL.createObjectURL(await new Response(content as BodyInit).blob());
      const link = document.createElement('a');
      link.href = url;
      link.download = name;
      link.click();
      // The download has begun when the browser is back at its event loop; a minute is more than enough.
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    },
  };
}

/**
 * Keeps snapshots in the origin private file system: safe from a broken database, not from a user who clears the site, nor from
 * a browser that evicts it, which take both.
 * @param folder below the root of the origin's file system
 */
export function opfsSink(folder: string): SnapshotSink {
  const directory = async (): Promise<FileSystemDirectoryHandle> => {
    if (navigator.storage?.getDirectory === undefined) {
      throw new CoreCryptoError('storage-failed', 'this browser has no private file system');
    }
    return (await navigator.storage.getDirectory()).getDirectoryHandle(folder, { create: true });
  };
  return {
    save: async (name, content) => {
      const file = await (await directory()).getFileHandle(name, { create: true });
      try {
        // What is written is in the file when the stream is closed, and not before.
        await content.pipeTo(await file.createWritable());
      } catch (error) {
        await (await directory()).removeEntry(name).catch(() => undefined);
        throw error;
      }
    },
    list: async () => {
      const names: string[] = [];
      const entries = (await directory()) as unknown as { keys(): AsyncIterable<string> };
      for await (const name of entries.keys()) {
        names.push(name);
      }
      return names;
    },
    remove: async (name) => (await directory()).removeEntry(name),
  };
}
