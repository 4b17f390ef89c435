import TestSupport
import Testing

/// Whether tests may mount file systems of their own: root may, but not in every container.
private let canMount: Bool =
  (try? runProcess("unshare", ["--mount", "mount", "-t", "tmpfs", "none", "/tmp"]))?.status == 0

/// Skips a test where it may not mount file systems.
let mounts = ConditionTrait.enabled(if: canMount, "file systems can't be mounted here")
