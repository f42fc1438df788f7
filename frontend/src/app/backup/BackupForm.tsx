import { Alert, Button, Group, List, Stack, Text } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import { codeOf } from '../../sync/context.ts';
import { useSession } from '../hooks.ts';
import styles from '../panels.module.css';
import { sizeText } from '../storage/room.ts';
import { backupProblem, backupProgress, backupTexts } from '../texts.ts';
import { passphraseProblem } from '../vault/passphrase.ts';
import { PassphraseFields } from '../vault/PassphraseFields.tsx';
import { CountedProgress } from './CountedProgress.tsx';
import { makeBackup, type BackupProgress, type BackupReport } from './make.ts';

interface Props {
  onBusy: (busy: boolean) => void;
  onClose: () => void;
}

/** Asks for the passphrase of the file, makes it, and tells what is in it. */
export function BackupForm({ onBusy, onClose }: Props): React.JSX.Element {
  const session = useSession();
  const [next, setNext] = useState({ passphrase: '', again: '' });
  const [wrong, setWrong] = useState<{ passphrase?: string; again?: string }>({});
  const [progress, setProgress] = useState<BackupProgress>();
  const [problem, setProblem] = useState<string>();
  const [report, setReport] = useState<BackupReport>();

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const refused = passphraseProblem(next.passphrase, next.again);
    setWrong(refused ?? {});
    if (refused !== undefined) return;
    setProblem(undefined);
    setProgress({ what: 'groups', count: 0 });
    onBusy(true);
    try {
      setReport(await makeBackup(session, next.passphrase, setProgress));
      setNext({ passphrase: '', again: '' });
    } catch (error) {
      setProblem(backupProblem(codeOf(error) ?? 'unknown'));
    } finally {
      setProgress(undefined);
      onBusy(false);
    }
  };

  if (report !== undefined) return <Made report={report} onClose={onClose} />;
  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <Stack>
        <Text size="sm">{backupTexts.not}</Text>
        <PassphraseFields
          {...next}
          problem={wrong}
          owner="backups of the chat"
          onChange={(to) => {
            setNext({ ...next, ...to });
            setWrong({});
          }}
        />
        <Text size="sm" c="dimmed">
          {backupTexts.forget}
        </Text>
        {progress !== undefined && <CountedProgress text={backupProgress[progress.what](progress.count)} data-testid="backup-progress" />}
        {problem !== undefined && (
          <Text c="red" size="sm" role="alert" data-testid="backup-problem">
            {problem}
          </Text>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose} disabled={progress !== undefined}>
            Cancel
          </Button>
          <Button type="submit" loading={progress !== undefined} data-testid="backup-confirm">
            Make the file
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Made({ report: { size, groups, records }, onClose }: { report: BackupReport; onClose: () => void }): React.JSX.Element {
  const isWhole = groups.length === 0 && records === 0;
  return (
    <Stack>
      <Alert color={isWhole ? 'green' : 'yellow'} role="status" title={`A file of ${sizeText(size)} was made`} data-testid="backup-made" data-whole={isWhole}>
        {backupTexts.done}
      </Alert>
      {records > 0 && (
        <Text size="sm" data-testid="backup-damaged-records">
          {records.toLocaleString()} records of the history cannot be read here, and are not in it.
        </Text>
      )}
      {groups.length > 0 && (
        <div data-testid="backup-damaged-groups">
          <Text size="sm">The keys of these conversations cannot be read. What was said in them is in the file; to write in them again, somebody has to add you anew:</Text>
          <List size="sm" mt="xs">
            {groups.map((title, index) => (
              <List.Item key={index} className={styles.wrap ?? ''}>
                {title}
              </List.Item>
            ))}
          </List>
        </div>
      )}
      <Group justify="flex-end">
        <Button onClick={onClose} data-testid="backup-close">
          Close
        </Button>
      </Group>
    </Stack>
  );
}
