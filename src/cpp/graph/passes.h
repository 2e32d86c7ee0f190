// The passes, one file each. Each takes a correct graph to a correct graph that computes the same values.
// plan/compile.cpp holds THE list and its order.
#pragma once

#include "graph/graph.h"
#include "graph/quantization.h"

namespace fastcnn {

// Drops nodes whose results nobody reads.
void remove_dead_nodes(Graph& graph);

// With constant statistics, product -> batch_norm becomes a product with scaled weights and a bias, and a batch_norm
// elsewhere becomes scale_shift. Product -> multiplication by constants of the channels likewise.
void fold_scales(Graph& graph);

// A border of zeros before a convolution, or before a maximum of non-negative values, becomes the window's padding.
void fold_padding(Graph& graph);

// act(product + residual) becomes the product's epilogue.
void fuse_epilogues(Graph& graph);

// batch_norm_gradient(activation_gradient(y, dy)) becomes one node, which undoes the activation on the way.
void fuse_gradients(Graph& graph);

// The sum over the pixels of what batch_norm_gradient makes in training, a bias' gradient before it, is a constant: 0.
void fold_zero_sums(Graph& graph);

// The inverse of fuse_epilogues for activations, before a graph is differentiated: rules of products need not know
// them.
void split_epilogues(Graph& graph);

// Where all users of a picture read only every s-th pixel (1 x 1 convolutions of stride s), its producer computes only
// these: the stride moves up to the first window that reads neighbours, through sums and activations.
void move_strides_up(Graph& graph);

// Brings what makes the new values of variables forward to where the old ones and the operands were read last, so that
// a gradient does not wait for the end of a step in memory of its own.
void hoist_updates(Graph& graph);

// Lets nodes wait for the first that reads their results, where what they read is much smaller or stays anyway: the
// gradient of a Gram matrix, many times as large as the matrix, is needed when that of its picture is.
void delay_nodes(Graph& graph);

// Products whose operand's range is known are computed on codes of 8 bits, and so is what lies between them and only
// moves or compares numbers. Comes last: it names values after their nodes, which other passes make and take.
void quantize_products(Graph& graph, const QuantizationSpec& spec);

// Make what a QuantizationSpec is about the graph's outputs, and tell their names: every value that is computed in
// floats; every product that could be computed on codes, computed so by itself.
std::vector<std::string> observe_values(Graph& graph);
std::vector<std::string> observe_products(Graph& graph, const QuantizationSpec& spec);

// For precision medium: pictures between products are stored in bfloat16, where rows up to `isa` read and write it;
// others get it cast.
void store_bf16(Graph& graph, Isa isa);

}  // namespace fastcnn
