import Jobs
import TestSupport
import Testing
import Training

@Suite struct TrainedModelTests {
  /// Such as other programs may have written.
  @Test(arguments: [Float.nan, -.infinity]) func `weights that are no finite numbers are refused`(
    _ value: Float
  ) throws {
    try SampleRun.with(mode: "auto") { run in
      let file = try CheckpointFile("\(run.path)/checkpoints/step-00000012.h5")
      var arrays: [CheckpointArray] = []
      var memory: [UnsafeMutableBufferPointer<Float>] = []
      defer { memory.forEach { $0.deallocate() } }
      for (name, shape) in try file.parameterShapes() {
        let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: shape.reduce(1, *))
        memory.append(values)
        try file.read("parameters/\(name)", shape: shape, into: values)
        if name == "head.weight" { values[7] = value }
        arrays.append(
          CheckpointArray(
            path: "parameters/\(name)", shape: shape, values: .floats(UnsafeBufferPointer(values)),
            description: ""))
      }
      let store = CheckpointStore(directory: run.directory)
      try store.write(file.header, arrays)
      for command in ["generate", "eval"] {
        let result = try run.seqtrain([command, "\(run.directory)/step-00000012.h5"])
        #expect(result.status == 1 && result.output.isEmpty, "\(result)")
        #expect(
          result.errors.contains(
            "/parameters/head.weight: number 7 is \(value), expected finite numbers; take another checkpoint"),
          "\(result)")
      }
    }
  }
}
