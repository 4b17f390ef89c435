#ifndef SEQTRAIN_CSENTENCEPIECE_H
#define SEQTRAIN_CSENTENCEPIECE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// SentencePiece, whose own interface is C++. A function that may fail returns NULL or what went wrong. That, and what functions
/// give out through pointers, is freed by `free`.

/// A model that cuts text into pieces. Any number of threads may use it at once.
typedef struct st_sentencepiece st_sentencepiece;

/// How pieces are chosen: by the likelihood of a unigram model, by merging frequent pairs, or not at all: characters.
typedef enum { ST_PIECES_UNIGRAM, ST_PIECES_BPE, ST_PIECES_CHARACTERS } st_piece_choice;

/// Words in UTF-8, one behind another, and how often each occurs.
typedef struct {
  /// None has a tab.
  const char *text;
  /// Where each ends in it.
  const size_t *ends;
  const int64_t *counts;
  size_t count;
} st_word_counts;

/// Trains a model of at most so many pieces, fewer where the words give no more, and gives out what it would be in a file.
/// Among the pieces are all bytes, which spell characters that have none. Text is taken as it is, without normalisation. The
/// same words in the same order make the same model: by one thread, and nothing is drawn. Nothing is printed.
char *st_sentencepiece_train(
    st_piece_choice choice, int pieces, const st_word_counts *words, char **serialized, size_t *size);

/// Loads a model.
char *st_sentencepiece_load(const char *serialized, size_t size, st_sentencepiece **loaded);
void st_sentencepiece_destroy(st_sentencepiece *model);

/// The number of pieces.
int st_sentencepiece_count(const st_sentencepiece *model);

/// How a piece is spelt, in UTF-8; it stays as long as the model.
const char *st_sentencepiece_spelling(const st_sentencepiece *model, int piece, size_t *size);

/// The piece that is spelt so; where there is none, the unknown one.
int st_sentencepiece_piece(const st_sentencepiece *model, const char *spelling);

/// The piece that stands for what is in no other, or -1.
int st_sentencepiece_unknown(const st_sentencepiece *model);

/// Cuts a text.
char *st_sentencepiece_encode(
    const st_sentencepiece *model, const char *text, size_t size, int **pieces, size_t *count);

/// Puts pieces together.
char *st_sentencepiece_decode(
    const st_sentencepiece *model, const int *pieces, size_t count, char **text, size_t *size);

#ifdef __cplusplus
}
#endif

#endif
