;; H03: has many memories in one module, each under the limit.
(component
  (core module $m
    (memory 512) (memory 512) (memory 512) (memory 512)
    (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
