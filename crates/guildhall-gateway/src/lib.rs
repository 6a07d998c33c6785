//! The data plane: listen, route, stack, upstream pool.
