extension Setting {
  /// The setting that goes by another name in other programs: by the last part of that name, in any spelling.
  static func synonym(of unknown: String) -> String? {
    let name = unknown.split(separator: ".").last?.lowercased().filter { $0 != "_" && $0 != "-" }
    return name.flatMap { synonyms[$0] }
  }

  private static let synonyms = names.reduce(into: [String: String]()) { keys, entry in
    for name in entry.value.split(separator: " ") { keys[String(name)] = entry.key }
  }

  /// Names without their underscores.
  private static let names: KeyValuePairs = [
    "data.path": "data dataset datafile datapath dataroot trainfile traindata corpus",
    "model.cell": "celltype rnntype modeltype",
    "model.embedding":
      "embed emb embeddim embdim embsize embedsize embeddingdim embeddingsize ninp inputsize",
    "model.hidden": "hiddensize hiddendim hiddenunits rnnsize nhid nhidden dmodel units width",
    "model.layers": "numlayers nlayers nlayer depth",
    "model.dropout": "dropoutrate dropoutp pdrop",
    "model.tied": "tieweights tiedweights tie weighttying",
    "training.lanes": "batch batchsize bs batchlanes globalbatchsize trainbatchsize",
    "training.chunk":
      "seqlen seqlength sequencelength bptt tbptt context contextlength blocksize unroll chunksize",
    "training.steps":
      "maxsteps numsteps nsteps totalsteps trainsteps iterations iters maxiters numiters updates",
    "training.epochs": "numepochs maxepochs nepochs numtrainepochs",
    "training.accumulate": "gradientaccumulationsteps accumulationsteps accumgrad gradaccum",
    "training.seed": "randomseed manualseed",
    "training.clip_norm": "clip gradclip clipgrad gradientclip gradientclipval maxgradnorm clipgradnorm",
    "training.precision": "dtype amp mixedprecision fp16 bf16 floattype",
    "training.log_every": "loginterval logsteps loggingsteps logfreq printevery",
    "training.optimizer.name": "optim optimizer",
    "training.optimizer.learning_rate": "lr baselr maxlr peaklr learningrate",
    "training.optimizer.weight_decay": "wd l2 decay",
    "training.optimizer.epsilon": "eps",
    "training.schedule.name": "lrschedule lrscheduler scheduler lrschedulertype",
    "training.schedule.warmup": "warmupsteps numwarmupsteps lrwarmup",
    "training.schedule.final": "minlr finallr endlr",
    "checkpoint.every": "saveevery savesteps saveinterval checkpointinterval checkpointevery",
    "checkpoint.keep": "savetotallimit keeplast maxtokeep keepcheckpoints",
    "evaluation.every": "evalevery evalsteps evalinterval valinterval valevery validateevery",
    "evaluation.patience": "earlystopping earlystop earlystoppingpatience",
  ]
}
