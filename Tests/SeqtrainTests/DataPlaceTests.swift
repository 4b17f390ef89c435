import Glibc
import TestSupport
import Testing

/// A run's dataset is found wherever the program is started, and after run or data have been moved.
@Suite(.serialized) struct DataPlaceTests {
  private let settings = [
    "data.path=data/tales.h5", "model.hidden=8", "model.embedding=4", "training.lanes=4", "training.chunk=8",
    "training.shards=2", "evaluation.every=0",
  ]
  private let measure = ["eval", "../project/runs/r", "--split", "validation", "--json"]

  private func train(_ run: String, steps: Int) -> [String] {
    ["train", "--run", run] + set(settings + ["training.steps=\(steps)"])
  }

  /// Lends a run of the directory `project`, with its data, and a directory beside it from which to look at both.
  private func withProject(_ body: (_ place: Workspace, _ elsewhere: Workspace) throws -> Void) throws {
    try Workspace.with { place in
      for name in ["project", "project/data", "elsewhere"] { mkdir(place(name), 0o755) }
      let project = Workspace(path: place("project"))
      try project.makeTales("data/tales.h5")
      try project.output(train("runs/r", steps: 2))
      try body(place, Workspace(path: place("elsewhere")))
    }
  }

  private struct Facts: Decodable {
    let dataset: String, dataset_path: String?, loss: Double?
  }

  @Test func `it is found from any directory`() throws {
    try withProject { place, elsewhere in
      let loss = try decode(Facts.self, elsewhere.output(ranks: 2, measure)).loss
      let inside = Workspace(path: place("project/runs/r/checkpoints"))
      #expect(
        try decode(
          Facts.self, inside.output(["eval", "step-00000002.h5", "--split", "validation", "--json"])
        ).loss
          == loss)
      let output = try elsewhere.output(ranks: 2, train("../project/runs/r", steps: 4))
      #expect(
        output.contains("/project/data/tales.h5\n") && output.contains("finished at step 4"), "\(output)")
      // The setting stays what it was: it is still right where the run began.
      let facts = try decode(Facts.self, elsewhere.output(["inspect", "../project/runs/r", "--json"]))
      #expect(
        facts.dataset == "data/tales.h5" && facts.dataset_path?.hasSuffix("/project/data/tales.h5") == true)
      let project = Workspace(path: place("project"))
      #expect(try project.output(["train", "--run", "runs/r"]).contains("on data/tales.h5\n"))
    }
  }

  @Test func `it is found when all of it has been moved, or the data beside the run`() throws {
    try withProject { place, elsewhere in
      let loss = try decode(Facts.self, elsewhere.output(measure)).loss
      rename(place("project"), place("moved"))
      let moved = ["eval", "../moved/runs/r", "--split", "validation", "--json"]
      #expect(try decode(Facts.self, elsewhere.output(moved)).loss == loss)
      for home in ["moved/runs/tales.h5", "moved/runs/r/tales.h5"] {
        rename(place("moved/data/tales.h5"), place(home))
        // Another dataset where it lay before does not pass for it.
        try Workspace(path: place("moved")).makeTales("data/tales.h5", seed: 2)
        let facts = try decode(Facts.self, elsewhere.output(moved))
        #expect(facts.loss == loss && facts.dataset.hasSuffix(home))
        rename(place(home), place("moved/data/tales.h5"))
      }
      #expect(
        try elsewhere.output(train("../moved/runs/r", steps: 4)).contains("/moved/data/tales.h5\n"))
    }
  }

  @Test func `where it is not found, the message says where it was looked for, and what to do`() throws {
    try withProject { place, elsewhere in
      rename(place("project/data/tales.h5"), place("elsewhere/t.h5"))
      try Workspace(path: place("project")).makeTales("data/tales.h5", seed: 2)
      let places = [
        "data/tales.h5: cannot be opened", "/project/data/tales.h5: its fingerprint is ",
        "/project/runs/r/tales.h5: cannot be opened", "/project/runs/tales.h5: cannot be opened",
        "say where it is with --data",
      ]
      expectRefusal(try elsewhere.seqtrain(ranks: 2, measure), places)
      let before = try directoryEntries(place("project/runs/r"))
      expectRefusal(try elsewhere.seqtrain(ranks: 2, train("../project/runs/r", steps: 4)), places)
      #expect(try directoryEntries(place("project/runs/r")) == before)
      let facts = try decode(Facts.self, elsewhere.output(["inspect", "../project/runs/r", "--json"]))
      #expect(facts.dataset == "data/tales.h5" && facts.dataset_path == nil)
      #expect(try elsewhere.output(["inspect", "../project/runs/r"]).contains("data/tales.h5 (not found), "))

      // As advised; from then on it is found there.
      try elsewhere.output(measure + ["--data", "t.h5"])
      let output = try elsewhere.output(
        ["train", "--run", "../project/runs/r", "--data", "t.h5"] + set(["training.steps=4"]))
      #expect(
        output.contains("data.path was \"data/tales.h5\", now \"t.h5\"") && output.contains("at step 4"))
      #expect(
        try place.output(["eval", "project/runs/r", "--split", "validation"]).contains(
          "/elsewhere/t.h5, split"))
    }
  }

  /// The text that a run makes for itself goes with it.
  @Test func `a run with a text of its own may be moved`() throws {
    try Workspace.with { place in
      let small = set(["model.hidden=8", "training.lanes=8", "training.steps=2", "evaluation.every=0"])
      try place.output(["train"] + small)
      rename(place("runs/default"), place("mine"))
      #expect(
        try place.output(["train", "--run", "mine", "--set", "training.steps=4"]).contains("at step 4"))
      #expect(try place.output(["eval", "mine"]).contains("data.h5, split test"))
    }
  }
}
