import { usePasskey, type VaultInfo, type VaultUnlock } from 'openmls-wasm';

/** Whether this page can have passkeys at all: they belong to a host name, which an address is not. */
export function passkeysPossible(): boolean {
  const isAddress = /^[\d.]+$|^\[/.test(location.hostname);
  return typeof PublicKeyCredential === 'function' && isSecureContext && !isAddress;
}

/** Asks for one of the vault's passkeys. The browser shows its own dialog. */
export function askForPasskey(name: string, unlocks: VaultInfo['unlocks']): Promise<VaultUnlock> {
  const credentialIds = unlocks.flatMap(({ credentialId }) => (credentialId === undefined ? [] : [credentialId]));
  return usePasskey({ name, credentialIds });
}
