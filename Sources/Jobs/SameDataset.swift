import MPI
import Sequences
import Training

extension SequenceDataset {
  /// Ensures that all ranks have opened the same dataset: hosts may have different files of one name. Collective.
  ///
  /// - Throws: `JobError` if a rank's differs from rank 0's.
  func requireSame(on communicator: Communicator) throws {
    let expected = try communicator.broadcast(fingerprint)
    try communicator.agree {
      guard fingerprint == expected else {
        throw TrainingError(
          "\(path): not the dataset that rank 0 finds there: its fingerprint is \(fingerprint), expected \(expected); "
            + "give every host the same file")
      }
    }
  }
}
