import { Alert, Radio, Stack, Text } from '@mantine/core';
import { protectionTexts } from '../texts.ts';
import { passkeysPossible } from './passkeys.ts';
import { PassphraseFields } from './PassphraseFields.tsx';
import type { Protection, ProtectionKind } from './protection.ts';

/** How this browser protects what the chat stores in it. */
export function ProtectionFields({ protection }: { protection: Protection }): React.JSX.Element {
  const { kind, passphrase, again, problem, change } = protection;
  const kinds: ProtectionKind[] = passkeysPossible() ? ['passphrase', 'passkey', 'device'] : ['passphrase', 'device'];
  return (
    <Stack gap="sm">
      <Radio.Group
        label="What protects your chats in this browser?"
        value={kind}
        onChange={(value) => change({ kind: value as ProtectionKind })}
        data-testid="protection-choice"
      >
        <Stack gap="xs" mt="xs">
          {kinds.map((one) => (
            <Radio key={one} value={one} label={protectionTexts[one].title} data-testid={`protection-${one}`} />
          ))}
        </Stack>
      </Radio.Group>
      {problem.passkey !== undefined && (
        <Alert color="yellow" role="alert" data-testid="passkey-problem">
          {problem.passkey}
        </Alert>
      )}
      <Text size="sm" data-testid="protection-text">
        {protectionTexts[kind].text}
      </Text>
      {kind === 'passphrase' && <PassphraseFields passphrase={passphrase} again={again} problem={problem} onChange={change} />}
    </Stack>
  );
}
