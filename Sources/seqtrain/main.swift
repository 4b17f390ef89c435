print("seqtrain")
