#include "CSentencePiece.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <vector>

using sentencepiece::SentenceIterator;
using sentencepiece::SentencePieceProcessor;
using sentencepiece::SentencePieceTrainer;
using sentencepiece::util::Status;

struct st_sentencepiece {
  SentencePieceProcessor processor;
};

namespace {

/// The message of what `body` returns or throws; NULL where it succeeds.
template <typename Body>
char *message(Body body) {
  try {
    const Status status = body();
    return status.ok() ? nullptr : strdup(status.error_message());
  } catch (const std::exception &error) {
    return strdup(error.what());
  }
}

template <typename Value>
void copy(const Value *values, size_t count, Value **copied, size_t *copied_count) {
  *copied = static_cast<Value *>(malloc((count + 1) * sizeof(Value)));
  if (*copied == nullptr) throw std::bad_alloc();
  std::memcpy(*copied, values, count * sizeof(Value));
  *copied_count = count;
}

/// Shows words to the trainer as "word<TAB>count".
class Words : public SentenceIterator {
 public:
  explicit Words(const st_word_counts &words) : words_(words) { read(); }
  bool done() const override { return next_ == words_.count; }
  void Next() override {
    ++next_;
    read();
  }
  const std::string &value() const override { return value_; }
  Status status() const override { return Status(); }

 private:
  void read() {
    if (done()) return;
    const size_t begin = next_ == 0 ? 0 : words_.ends[next_ - 1];
    value_.assign(words_.text + begin, words_.ends[next_] - begin);
    value_ += '\t';
    value_ += std::to_string(words_.counts[next_]);
  }

  const st_word_counts &words_;
  size_t next_ = 0;
  std::string value_;
};

const char *name(st_piece_choice choice) {
  switch (choice) {
    case ST_PIECES_UNIGRAM: return "unigram";
    case ST_PIECES_BPE: return "bpe";
    case ST_PIECES_CHARACTERS: return "char";
  }
  return "";
}

}  // namespace

char *st_sentencepiece_train(
    st_piece_choice choice, int pieces, const st_word_counts *words, char **serialized, size_t *size) {
  return message([=] {
    Words sentences(*words);
    // Words and the ends between them are numbered twice over, by 32 bits unless it is told that there are more.
    const size_t size_of_all = words->count == 0 ? 0 : words->ends[words->count - 1] + words->count;
    const bool is_large = size_of_all > INT32_MAX / 2;
    std::string proto;
    const Status status = SentencePieceTrainer::Train(
        {{"model_type", name(choice)},
         {"vocab_size", std::to_string(pieces)},
         {"hard_vocab_limit", "false"},
         {"input_format", "tsv"},
         {"byte_fallback", "true"},
         {"bos_id", "-1"},
         {"eos_id", "-1"},
         {"normalization_rule_name", "identity"},
         {"remove_extra_whitespaces", "false"},
         // The space, however rare: texts of some languages have hardly any.
         {"required_chars", "\xE2\x96\x81"},
         {"num_threads", "1"},
         {"train_extremely_large_corpus", is_large ? "true" : "false"},
         // Only what ends the process.
         {"minloglevel", "3"}},
        &sentences, &proto);
    if (status.ok()) copy(proto.data(), proto.size(), serialized, size);
    return status;
  });
}

char *st_sentencepiece_load(const char *serialized, size_t size, st_sentencepiece **loaded) {
  auto *model = new (std::nothrow) st_sentencepiece;
  if (model == nullptr) return strdup("there is no memory for it");
  char *failure = message([=] { return model->processor.LoadFromSerializedProto({serialized, size}); });
  if (failure != nullptr) {
    delete model;
    return failure;
  }
  *loaded = model;
  return nullptr;
}

void st_sentencepiece_destroy(st_sentencepiece *model) { delete model; }

int st_sentencepiece_count(const st_sentencepiece *model) { return model->processor.GetPieceSize(); }

const char *st_sentencepiece_spelling(const st_sentencepiece *model, int piece, size_t *size) {
  const std::string &spelling = model->processor.IdToPiece(piece);
  *size = spelling.size();
  return spelling.data();
}

int st_sentencepiece_piece(const st_sentencepiece *model, const char *spelling) {
  return model->processor.PieceToId(spelling);
}

int st_sentencepiece_unknown(const st_sentencepiece *model) { return model->processor.unk_id(); }

char *st_sentencepiece_encode(
    const st_sentencepiece *model, const char *text, size_t size, int **pieces, size_t *count) {
  return message([=] {
    std::vector<int> found;
    const Status status = model->processor.Encode({text, size}, &found);
    if (status.ok()) copy(found.data(), found.size(), pieces, count);
    return status;
  });
}

char *st_sentencepiece_decode(
    const st_sentencepiece *model, const int *pieces, size_t count, char **text, size_t *size) {
  return message([=] {
    std::string decoded;
    const Status status = model->processor.Decode(std::vector<int>(pieces, pieces + count), &decoded);
    if (status.ok()) copy(decoded.data(), decoded.size(), text, size);
    return status;
  });
}
