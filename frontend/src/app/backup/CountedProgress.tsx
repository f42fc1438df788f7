import { Progress, Text } from '@mantine/core';

/** Something of which is known how much is done, but not how much there is. */
export function CountedProgress({ text, ...rest }: { text: string; 'data-testid'?: string }): React.JSX.Element {
  return (
    <div role="status" {...rest}>
      <Text size="sm" mb={6}>
        {text}
      </Text>
      <Progress value={100} animated aria-label={text} />
    </div>
  );
}
