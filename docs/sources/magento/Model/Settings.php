<?php

declare(strict_types=1);

namespace Orderack\Orders\Model;

use Magento\Framework\App\Config\ScopeConfigInterface;
use Magento\Store\Model\ScopeInterface;

/**
 * What is set under Stores > Configuration > Sales > Orderack, for a store view.
 */
class Settings
{
    private const ENABLED = 'orderack/webhook/enabled';
    private const URL = 'orderack/webhook/url';
    private const SECRET = 'orderack/webhook/secret';
    private const LEAST_BYTES = 16;

    public function __construct(private ScopeConfigInterface $config)
    {
    }

    /**
     * Whether orders of this store view are told of: enabled, by https, with a key to sign with.
     */
    public function isOn(int $storeId): bool
    {
        return $this->config->isSetFlag(self::ENABLED, ScopeInterface::SCOPE_STORE, $storeId)
            && str_starts_with($this->url($storeId), 'https://')
            && strlen($this->key($storeId)) >= self::LEAST_BYTES;
    }

    public function url(int $storeId): string
    {
        return trim((string)$this->config->getValue(self::URL, ScopeInterface::SCOPE_STORE, $storeId));
    }

    /**
     * The signing key's bytes; none where the secret is not `whsec_` and base64.
     */
    public function key(int $storeId): string
    {
        $secret = trim((string)$this->config->getValue(self::SECRET, ScopeInterface::SCOPE_STORE, $storeId));
        $base64 = str_starts_with($secret, 'whsec_') ? substr($secret, 6) : $secret;

        return (string)base64_decode($base64, true);
    }
}
