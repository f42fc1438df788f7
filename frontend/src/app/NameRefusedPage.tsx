import { Alert, Button, Code, CopyButton, Group, Loader, Text, Title } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import { useEffect } from 'react';
import { Page } from './Page.tsx';
import styles from './pages.module.css';
import type { Candidate } from './session.ts';
import { refusalText } from './texts.ts';

interface Props {
  candidate: Candidate;
  /** Why the delivery service did not register the name: `not-linked` when it is somebody's. */
  code: string;
  onRetry: (candidate: Candidate) => Promise<void>;
  onOtherName: (candidate: Candidate) => void;
}

const retryEveryMs = 4000;

/** The name was not registered: either this is another device of its owner, or another name is needed. */
export function NameRefusedPage({ candidate, code, onRetry, onOtherName }: Props): React.JSX.Element {
  const taken = code === 'not-linked';
  return (
    <Page data-testid="name-refused-page" data-code={code}>
      <Title order={1} size="h3">
        {taken ? `“${candidate.own.user}” is taken` : `“${candidate.own.user}” cannot be used`}
      </Title>
      <Alert color="yellow" role="alert">
        {taken ? 'Somebody registered this name before. If that was not you, choose another one.' : refusalText(code)}
      </Alert>
      <Button variant="default" onClick={() => onOtherName(candidate)} data-testid="other-name-button">
        Choose another name
      </Button>
      {taken && <LinkThisDevice candidate={candidate} onRetry={onRetry} />}
    </Page>
  );
}

function LinkThisDevice({ candidate, onRetry }: Pick<Props, 'candidate' | 'onRetry'>): React.JSX.Element {
  useEffect(() => {
    const timer = setInterval(() => void onRetry(candidate), retryEveryMs);
    return () => clearInterval(timer);
  }, [candidate, onRetry]);

  return (
    <>
      <Title order={2} size="h5" mt="sm">
        Is it you, on a new device?
      </Title>
      <Text size="sm">
        Open the chat on a device where you are signed in, go to Settings → Link a device, and enter this code:
      </Text>
      <Code block className={styles.code ?? ''} data-testid="link-code">
        {candidate.linkCode}
      </Code>
      <Group justify="space-between">
        <CopyButton value={candidate.linkCode}>
          {({ copied, copy }) => (
            <Button
              size="xs"
              variant="light"
              onClick={copy}
              leftSection={copied ? <IconCheck size={16} aria-hidden /> : <IconCopy size={16} aria-hidden />}
            >
              {copied ? 'Copied' : 'Copy code'}
            </Button>
          )}
        </CopyButton>
        <Group gap="xs" role="status">
          <Loader size="xs" />
          <Text size="sm" c="dimmed">
            Waiting to be linked…
          </Text>
        </Group>
      </Group>
    </>
  );
}
