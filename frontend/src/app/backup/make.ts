import { downloadSink } from 'openmls-wasm';
import { toHex } from '../../delivery/bytes.ts';
import { writeBackup } from '../../history/backup.ts';
import { titleOf } from '../naming.ts';
import type { Session } from '../session.ts';

export interface BackupProgress {
  what: 'groups' | 'history' | 'file';
  /** Of groups, of records, or of bytes. */
  count: number;
}

/** What is in the file, and what is not. */
export interface BackupReport {
  size: number;
  /** Names of conversations whose keys cannot be read: they come back without what joining them anew needs. */
  groups: string[];
  /** Records of the history that cannot be read. */
  records: number;
}

/** Makes a backup of all there is, and hands it to the browser as a download. Rejects with a `code`: then there is no file. */
export async function makeBackup(
  { client, history, own }: Session,
  passphrase: string,
  onProgress: (progress: BackupProgress) => void,
): Promise<BackupReport> {
  const damaged = await client.findDamagedGroups((count) => onProgress({ what: 'groups', count }));
  const groups: string[] = [];
  for (const { groupId } of damaged) {
    const conversation = await history.conversation(toHex(groupId));
    groups.push(conversation === undefined ? 'A conversation' : titleOf(conversation, own.user));
  }
  // Before the history is read: what is sent meanwhile is only taken for something that may not have been.
  const waiting = new Set((await client.outbox()).map(({ id }) => id));
  const written = await writeBackup(history, own, waiting, (count) => onProgress({ what: 'history', count }));
  const snapshot = await client.exportSnapshot({ passphrase, kind: 'backup', appData: written.content });
  let size = 0;
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      size += chunk.length;
      onProgress({ what: 'file', count: size });
      controller.enqueue(chunk);
    },
  });
  await downloadSink().save(fileName(), snapshot.pipeThrough(counted));
  return { size, groups, records: written.damaged };
}

/** Nothing of whose it is: a file name is in the clear. */
function fileName(now = new Date()): string {
  const day = [now.getFullYear(), now.getMonth() + 1, now.getDate()].map((part) => String(part).padStart(2, '0')).join('-');
  return `chat backup ${day}.mls-snapshot`;
}
