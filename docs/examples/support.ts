/** What the examples share: text as bytes, a person with a client, and a group of them. */

import { CoreCryptoClient } from 'openmls-wasm';

export const bytes = (string: string): Uint8Array => new TextEncoder().encode(string);
export const text = (array: Uint8Array): string => new TextDecoder().decode(array);

/** A client in a database of that name, with an identity of that name. */
export async function person(name: string): Promise<CoreCryptoClient> {
  const client = await CoreCryptoClient.open({ name });
  if ((await client.identity()) === undefined) await client.createIdentity(bytes(name));
  return client;
}

/** A group of all of them, made by the first one. */
export async function groupOf(first: CoreCryptoClient, ...others: CoreCryptoClient[]): Promise<Uint8Array> {
  const group = await first.createGroup();
  const keyPackages = [];
  for (const other of others) keyPackages.push(...(await other.generateKeyPackages(1)));
  const commit = await first.addMembers(group, keyPackages);
  await first.mergePendingCommit(group);
  for (const other of others) await other.joinGroup(commit.welcome!);
  return group;
}
