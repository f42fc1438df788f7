import { Button, Text, Title } from '@mantine/core';
import { Page } from './Page.tsx';
import { errorText, refusalText } from './texts.ts';

/** An outcome the chat cannot go on from. It never offers to delete anything. */
export function ErrorPage({ code, onAgain }: { code: string; onAgain: () => void }): React.JSX.Element {
  const { title, text, again } =
    code === 'network' ? { title: 'You are offline', text: refusalText(code), again: 'Try again' } : errorText(code);
  return (
    <Page data-testid="error-page" data-code={code}>
      <Title order={1} size="h3" role="alert">
        {title}
      </Title>
      <Text>{text}</Text>
      <Button onClick={onAgain} data-testid="try-again" autoFocus>
        {again}
      </Button>
    </Page>
  );
}
