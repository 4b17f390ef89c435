import Sequences
import Settings

/// What is read.
package struct DataConfiguration: Sendable, Equatable {
  /// The dataset's file; empty for the embedded grammar.
  package var path = ""
  /// How streams are laid out over lanes.
  package var mode = ScheduleMode.auto
  /// The most steps of a stream that is played whole, and of its source.
  package var longest = 1024

  /// The defaults.
  package init() {}
}

extension ScheduleMode: SettingValue {}

extension DataConfiguration {
  /// Its settings.
  package static let settings: [Setting<DataConfiguration>] = [
    Setting(
      "path", \.path, mayChange: true,
      "Dataset to train on; empty for the embedded grammar. The dataset's fingerprint must stay the same.",
      synonyms: "data dataset datafile datapath dataroot trainfile traindata corpus"),
    Setting(
      "mode", \.mode,
      "contiguous: a lane plays one part of the whole split; packed: whole streams, shuffled; whole: one "
        + "whole stream in each chunk, gradients run back to its beginning; auto: whole for pairs and bidirectional models, "
        + "packed where there are many short streams"
    ),
    Setting(
      "longest", \.longest, .within(1, 1 << 20), mayChange: true,
      "Longest stream, in steps, that mode whole takes, and longest source; longer ones are refused",
      synonyms: "maxlength maxlen maxseqlen maxsequencelength"),
  ]
}
