import type { BackupProgress } from '@driftlog/client'

/** How far a backup has come. Without a number yet: that it has begun. */
export const ProgressBar = ({ label, progress }: { readonly label: string; readonly progress: BackupProgress }) => (
  <progress className="progress-bar" aria-label={label} max={Math.max(progress.of, 1)} value={progress.batches} />
)
