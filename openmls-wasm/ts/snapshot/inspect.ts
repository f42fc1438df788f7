/** What anybody may know of a snapshot. */

import type { SnapshotInfo } from '../types/snapshots.js';
import { decodeHeader, headerBytes, VERSION } from './header.js';

/**
 * What a snapshot says of itself, without a secret.
 * @throws CoreCryptoError `newer-format`; `snapshot-damaged` for a file that is none
 */
export async function inspectSnapshot(file: Blob): Promise<SnapshotInfo> {
  const { kind, createdAt } = decodeHeader(await headerBytes(file));
  return { version: VERSION, kind, createdAt, size: file.size };
}
