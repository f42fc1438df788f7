import { Alert, Button, FileInput, Group, PasswordInput, Stack, Text, Title } from '@mantine/core';
import { IconFileUpload } from '@tabler/icons-react';
import { inspectSnapshot, type SnapshotInfo } from 'openmls-wasm';
import { useRef, useState, type FormEvent } from 'react';
import { codeOf } from '../../sync/context.ts';
import { Page } from '../Page.tsx';
import { cryptoDatabase, type Profile } from '../profile.ts';
import type { Candidate, Opened, Report } from '../session.ts';
import { sizeText } from '../storage/room.ts';
import { backupProblem, backupProgress, backupTexts } from '../texts.ts';
import { momentText } from '../time.ts';
import { PassphraseOwner } from '../vault/PassphraseOwner.tsx';
import { useProtection } from '../vault/protection.ts';
import { ProtectionFields } from '../vault/ProtectionFields.tsx';
import { CountedProgress } from './CountedProgress.tsx';
import { bringBack, type RestoreProgress } from './restore.ts';

interface Props {
  profile: Profile;
  /** The database is there already, without an identity. */
  opened: Opened | undefined;
  /** For development: in the clear. */
  plain: boolean;
  report: Report;
  onRestored: (candidate: Candidate) => Promise<void>;
  /** The database is not there any more. */
  onFailed: () => void;
  onBack: () => void;
}

/** Brings a backup back into a browser in which there is nothing yet. */
export function RestorePage({ profile, opened, plain, report, onRestored, onFailed, onBack }: Props): React.JSX.Element {
  const [chosen, setChosen] = useState<{ file: File; info?: SnapshotInfo }>();
  const [passphrase, setPassphrase] = useState('');
  const [problem, setProblem] = useState<{ of: 'file' | 'passphrase' | 'all'; code: string }>();
  const [progress, setProgress] = useState<RestoreProgress>();
  const protection = useProtection();
  /** A passkey that was made for an attempt before this one. */
  const made = useRef<Awaited<ReturnType<typeof protection.make>>>(undefined);
  const choosing = opened === undefined && !plain;
  const busy = progress !== undefined;

  const choose = async (file: File | null): Promise<void> => {
    setProblem(undefined);
    setChosen(file === null ? undefined : { file });
    if (file === null) return;
    try {
      const info = await inspectSnapshot(file);
      setChosen({ file, info });
      if (info.kind !== 'backup') setProblem({ of: 'file', code: 'full-export' });
    } catch (error) {
      setProblem({ of: 'file', code: codeOf(error) ?? 'unknown' });
    }
  };

  /** Undefined: the user has to choose anew. */
  const protect = async (): Promise<boolean> => {
    if (!choosing) return true;
    if (made.current?.kind !== 'passkey' || protection.kind !== 'passkey') {
      // Whose backup it is shows when it is open.
      made.current = await protection.make(cryptoDatabase(profile), 'Chat');
    }
    return made.current !== undefined;
  };

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const fit = !choosing || protection.check();
    if (chosen?.info?.kind !== 'backup') return setProblem((known) => known ?? { of: 'file', code: 'no-file' });
    if (passphrase === '') return setProblem({ of: 'passphrase', code: 'no-passphrase' });
    if (!fit) return;
    setProblem(undefined);
    setProgress({ what: 'opening', count: 0 });
    try {
      if (await protect()) {
        const unlock = choosing ? made.current : undefined;
        return await onRestored(await bringBack({ profile, opened, file: chosen.file, passphrase, unlock, report, onProgress: setProgress }));
      }
    } catch (error) {
      const code = codeOf(error) ?? 'unknown';
      setProblem({ of: code === 'unlock-failed' ? 'passphrase' : 'all', code });
      onFailed();
    }
    setProgress(undefined);
  };

  const said = (of: 'file' | 'passphrase'): string | undefined => (problem?.of === of ? backupProblem(problem.code) : undefined);
  return (
    <Page data-testid="restore-page" data-code={problem?.code ?? ''}>
      <Title order={1} size="h3">
        Restore from a backup
      </Title>
      <Text size="sm" c="dimmed">
        {backupTexts.restore}
      </Text>
      <Text size="sm">{backupTexts.lost}</Text>
      <form onSubmit={(event) => void submit(event)} noValidate>
        <Stack>
          <FileInput
            label="The file"
            placeholder="Choose a file"
            leftSection={<IconFileUpload size={18} aria-hidden />}
            value={chosen?.file ?? null}
            onChange={(file) => void choose(file)}
            error={said('file')}
            disabled={busy}
            fileInputProps={{ 'data-testid': 'restore-file-input' } as React.ComponentProps<'input'>}
            data-testid="restore-file-button"
          />
          {chosen?.info !== undefined && (
            <Text size="sm" c="dimmed" data-testid="restore-file-info" data-kind={chosen.info.kind}>
              {chosen.info.kind === 'backup' ? 'A backup' : 'A full export'} of {momentText(chosen.info.createdAt)}, {sizeText(chosen.info.size)}
            </Text>
          )}
          <PassphraseOwner of="backups of the chat" />
          <PasswordInput
            label="Passphrase of the backup"
            value={passphrase}
            onChange={(event) => {
              setPassphrase(event.currentTarget.value);
              setProblem((known) => (known?.of === 'file' ? known : undefined));
            }}
            error={said('passphrase')}
            readOnly={busy}
            autoComplete="current-password"
            visibilityToggleButtonProps={{ 'aria-label': 'Show the passphrase' }}
            data-testid="restore-passphrase-input"
          />
          {choosing && <ProtectionFields protection={protection} />}
          {progress !== undefined && <CountedProgress text={backupProgress[progress.what](progress.count)} data-testid="restore-progress" />}
          {problem?.of === 'all' && (
            <Alert color="red" role="alert" data-testid="restore-problem">
              {backupProblem(problem.code)}
            </Alert>
          )}
          <Group justify="space-between">
            <Button variant="default" onClick={onBack} disabled={busy} data-testid="restore-back-button">
              Back
            </Button>
            <Button type="submit" loading={busy} data-testid="restore-button">
              Restore
            </Button>
          </Group>
        </Stack>
      </form>
    </Page>
  );
}
