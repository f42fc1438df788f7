/** Calls over the real engine that are refused: the code an app sees, and databases that are as they were. */

import { CoreCryptoClient, type MlsErrorCode } from 'openmls-wasm';
import { codeOf, dump, equal, freshName, type Scenario } from './support.js';

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
export const nowhere = utf8('no such group');

/** Three people of whom Alice and Bob share a group, and one who has no identity yet. */
export interface People {
  readonly alice: CoreCryptoClient;
  readonly bob: CoreCryptoClient;
  readonly carol: CoreCryptoClient;
  readonly nobody: CoreCryptoClient;
  readonly names: readonly string[];
  readonly group: Uint8Array;
  readonly welcome: Uint8Array;
}

async function people(): Promise<People> {
  const names = Array.from({ length: 4 }, freshName);
  const [alice, bob, carol, nobody] = await Promise.all(names.map((name) => CoreCryptoClient.open({ name })));
  if (!alice || !bob || !carol || !nobody) {
    throw new Error('there are not four clients');
  }
  await Promise.all([alice, bob, carol].map((client, index) => client.createIdentity(utf8(`person ${index}`))));
  const group = await alice.createGroup();
  const { welcome } = await alice.addMembers(group, await bob.generateKeyPackages(1));
  await alice.mergePendingCommit(group);
  await bob.joinGroup(some(welcome));
  return { alice, bob, carol, nobody, names, group, welcome: some(welcome) };
}

export function some<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) {
    throw new Error('there is none');
  }
  return value;
}

/** With another last byte. */
export const altered = (bytes: Uint8Array): Uint8Array =>
  bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte));

/** What is refused, and how it comes to that: `prepare` returns the call. */
export type Refusal = readonly [code: MlsErrorCode, prepare: (here: People) => Promise<() => Promise<unknown>>];

const all = ({ alice, bob, carol, nobody }: People): CoreCryptoClient[] => [alice, bob, carol, nobody];

function scenario([code, prepare]: Refusal): Scenario {
  return async () => {
    const here = await people();
    const call = await prepare(here);
    await Promise.all(all(here).map((client) => client.flush()));
    const before = await Promise.all(here.names.map(dump));
    equal(await codeOf(call()), code, 'the code');
    // Also what the call had left in memory only would be written now.
    await Promise.all(all(here).map((client) => client.close()));
    equal(await Promise.all(here.names.map(dump)), before, 'the databases');
    const again = await Promise.all(here.names.map((name) => CoreCryptoClient.open({ name })));
    await Promise.all(again.map((client) => client.close()));
  };
}

/** A scenario for each, named by the code too. */
export function scenariosOf(refusals: Record<string, Refusal>): Record<string, Scenario> {
  return Object.fromEntries(Object.entries(refusals).map(([name, refusal]) => [`${name}: ${refusal[0]}`, scenario(refusal)]));
}
