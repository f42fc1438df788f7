import { Progress, Text } from '@mantine/core';
import type { WorkProgress } from '../session.ts';
import { workTexts } from '../texts.ts';

/** Something that takes as long as there are records. It goes on by itself after the page was closed. */
export function WorkProgressBar({ progress: { what, records, damaged = 0, part } }: { progress: WorkProgress }): React.JSX.Element {
  const percent = part === undefined ? 100 : Math.round(part * 100);
  return (
    <div role="status" data-testid="work-progress" data-what={what}>
      <Text size="sm" mb={6}>
        {workTexts[what]} {records.toLocaleString()} records
        {damaged > 0 && `; ${damaged.toLocaleString()} cannot be read, and stay as they are`}
      </Text>
      <Progress value={percent} animated={part === undefined} aria-label={workTexts[what]} />
      <Text size="xs" c="dimmed" mt={6}>
        If the page is closed meanwhile, this goes on when it is opened next.
      </Text>
    </div>
  );
}
