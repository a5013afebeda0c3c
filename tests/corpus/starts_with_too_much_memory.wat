;; H03: has 128 MiB of memory from the start.
(component
  (core module $m (memory 2048) (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
